"""Routes of the export tab beside its form: what has been exported, and one export as a tar.

Knows names of exports, never a directory: those a request cannot name.
"""

from __future__ import annotations

from starlette.routing import Route

from synthvlm_ui.ui.routes.api import Api


def export_routes(api: Api) -> list[Route]:
    """The routes; both only read."""
    exports = api.studio.exports
    return [
        api.get("/exports", lambda _values: {"exports": exports.made()}),
        api.download("/exports/{name}.tar", lambda values: exports.archive(values["name"]), "application/x-tar"),
    ]
