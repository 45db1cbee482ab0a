"""JSON routes of curation: one view (yield, histograms, page) per rule, candidates, verdicts, selections.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule, Verdict
from synthvlm_ui.ui.api import Api, Json, candidate_id, number, text

BINS = 64
RULE_TYPES: dict[str, tuple[type, ...]] = {
    field.name: (bool,) if "bool" in str(field.type) else (int,) if "int" in str(field.type)
    else (int, float) if "float" in str(field.type) else (str,) for field in fields(SelectionRule)}
MAX_IDS = 10_000


def curate_routes(api: Api) -> list[Route]:
    """Routes of the curate tab."""
    curation = api.studio.curation
    return [
        api.post("/curate/view", lambda body: _view(api, body), changes=False),
        api.get("/candidate/{id}", lambda values: _candidate(api, values)),
        api.post("/verdict", lambda body: curation.verdict(_ids(body), cast(Verdict, body.get("verdict"))),
                 changes=True),
        api.post("/undo", lambda _body: curation.undo(), changes=True),
        api.post("/redo", lambda _body: curation.redo(), changes=True),
        api.post("/select", lambda body: curation.select(text(body, "name"), _rule(api, body)), changes=True),
        api.get("/selections", lambda _values: curation.selections()),
        api.get("/events", lambda values: curation.events(number(values, "limit", 20, 1, 200))),
    ]


def _rule(api: Api, body: Mapping[str, Any]) -> SelectionRule:
    given = body.get("rule")
    if not isinstance(given, Mapping):
        raise BadSetting("rule is missing", where="rule")
    rule = {name: value for name, value in given.items() if value is not None}
    for name, value in rule.items():
        if name not in RULE_TYPES:
            raise BadSetting(f"unknown rule field {name[:40]!r}", where="rule")
        # bool is an int to Python, and no number to a user
        if not isinstance(value, RULE_TYPES[name]) or (isinstance(value, bool) and bool not in RULE_TYPES[name]):
            raise BadSetting(f"{name} cannot be {str(value)[:40]!r}", where="rule")
    return api.studio.curation.rule(**{"dataset": "", **rule})


def _view(api: Api, body: Json) -> Json:
    """What the page asked for of one rule; ``sequence`` comes back so that late answers can be dropped."""
    api.refresh()
    curation, rule = api.studio.curation, _rule(api, body)
    parts = set(body.get("parts") or ("yield", "histograms", "page"))
    answer: Json = {"sequence": body.get("sequence", 0), "rule": rule.to_json()}
    if "yield" in parts:
        answer["yield"] = curation.yield_of(rule)
    if "histograms" in parts:
        answer["histograms"] = curation.histograms(rule, bins=BINS)
    if "page" in parts:
        page = body.get("page") or {}
        answer["page"] = curation.page(
            rule,
            offset=number(page, "offset", 0, 0, 10**9),
            limit=number(page, "limit", 48, 1, 500),
            show=page.get("show", "kept"),
            order=page.get("order", "combined"),
        )
    if "command" in parts:
        answer["command"] = curation.command(rule, str(body.get("name") or "SELECTION"))
    return answer


def _candidate(api: Api, values: Mapping[str, str]) -> Any:
    return api.studio.curation.candidate(candidate_id(values))


def _ids(body: Mapping[str, Any]) -> list[str]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or len(ids) > MAX_IDS or not all(isinstance(item, str) for item in ids):
        raise BadSetting(f"ids is not a list of 1 to {MAX_IDS:,} candidate ids", where="ids")
    return ids
