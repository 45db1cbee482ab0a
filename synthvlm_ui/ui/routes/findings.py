"""JSON routes of the findings tab. Knows the studio's actions; decides nothing."""

from __future__ import annotations

from starlette.routing import Route

from synthvlm_ui.ui.routes.api import Api


def findings_routes(api: Api) -> list[Route]:
    """The table, the line that does the same, and the start of a run."""
    desk = api.studio.claims
    return [
        api.get("/findings/table", lambda _values: {
            **desk.table(), "commands": {"full": desk.command(), "quick": desk.command(quick=True)}}),
        api.post("/findings/start", lambda body: {"job_id": desk.start(quick=bool(body.get("quick")))}, changes=True),
    ]
