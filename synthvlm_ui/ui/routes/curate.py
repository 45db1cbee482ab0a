"""JSON routes of curation: views of a rule and their parts, verdicts, searches, saved views and links, selections.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, cast

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting, SynthVLMError
from synthvlm_ui.records import SelectionRule, Verdict
from synthvlm_ui.service import Find, find_of, state_of, typed_rule
from synthvlm_ui.ui.routes.api import Api, Json, actor, candidate_id, number, text

BINS = 64
MAX_IDS = 10_000
MAX_THUMBNAILS = 100
MAX_WAIT_S = 25
DEFAULT_PARTS = ("yield", "histograms", "page")
Values = Mapping[str, str]


def curate_routes(api: Api) -> list[Route]:
    """Routes of the curate tab."""
    studio = api.studio
    return [
        api.post("/curate/view", lambda body: _view(api, body), changes=False, computes=True),
        api.post("/curate/find", lambda body: _find(api, body), changes=False),
        api.post("/curate/percentile", lambda body: _percentile(api, body), changes=False),
        api.post("/curate/link", lambda body: studio.saved_views.link(state_of(_object(body, "state"))), changes=False),
        api.post("/curate/open", lambda body: studio.saved_views.open(str(body.get("query") or "")), changes=False),
        api.post("/thumbs", lambda body: _thumbnails(api, body), changes=False),
        api.poll("/curate/news", lambda values: _has_news(api, values), lambda values: _news(api, values), MAX_WAIT_S),
        api.get("/candidate/{id}", lambda values: studio.candidates.candidate(candidate_id(values))),
        api.get("/candidate/{id}/neighbours", lambda values: studio.candidates.neighbours(candidate_id(values))),
        api.post("/verdict", lambda body: _verdict(api, body), changes=True),
        api.post("/undo", lambda body: studio.verdicts.undo(actor()), changes=True),
        api.post("/redo", lambda body: studio.verdicts.redo(actor()), changes=True),
        api.post("/select", lambda body: studio.curation.select(text(body, "name"), _settled_rule(api, body),
                                                               actor()), changes=True),
        api.get("/selections", lambda _values: studio.curation.selections()),
        api.get("/events", lambda values: studio.verdicts.events(number(values, "limit", 20, 1, 200),
                                                                 number(values, "after", 0, 0, 2**31))),
        api.get("/views", lambda _values: studio.saved_views.list()),
        api.post("/views", lambda body: studio.saved_views.save(
            text(body, "name"), state_of(_object(body, "state")), actor()), changes=True),
        api.post("/views/delete", lambda body: studio.saved_views.delete(text(body, "name"), actor()),
                 changes=True),
    ]


def _rule(api: Api, body: Mapping[str, Any]) -> SelectionRule:
    return api.studio.curation.rule(**{"dataset": "", **typed_rule(_object(body, "rule"))})


def _settled_rule(api: Api, body: Mapping[str, Any]) -> SelectionRule:
    """A rule to act by. Raises: BadSetting while something it needs is still being found."""
    rule = _rule(api, body)
    if (waiting := api.studio.curation.preparing(rule)) is not None:
        raise BadSetting(f"near-duplicates are still being looked for, {waiting['share']:.0%} is done",
                         where="near_duplicates", fix="Try again in a moment.")
    return rule


def _view(api: Api, body: Json) -> Json:
    """What the page asked for of one rule; ``sequence`` comes back so that late answers can be dropped."""
    api.refresh()
    rule, find = _rule(api, body), find_of(body.get("find"))
    if (waiting := api.studio.curation.preparing(rule)) is not None:
        return {"sequence": body.get("sequence", 0), "rule": rule.to_json(), "waiting": waiting}
    parts = list(body.get("parts") or DEFAULT_PARTS)
    makers = _parts(api, body, rule, find)
    unknown = [part for part in parts if part not in makers]
    if unknown:
        raise BadSetting(f"there is no part {str(unknown[0])[:40]!r}", where="parts",
                         fix=f"Ask for some of {', '.join(makers)}.")
    version, last_event = api.studio.workspace.columns.moment
    answer: Json = {"sequence": body.get("sequence", 0), "rule": rule.to_json(), "version": version,
                    "last_event": last_event,
                    "score_columns": api.studio.insight.score_columns(rule)}
    answer.update({part: makers[part]() for part in parts})
    return answer


def _parts(api: Api, body: Json, rule: SelectionRule, find: Find) -> dict[str, Callable[[], Any]]:
    studio, curation, insight = api.studio, api.studio.curation, api.studio.insight
    asked, strip = body.get("histograms") or {}, body.get("strip") or {}
    return {
        "yield": lambda: curation.yield_of(rule),
        "histograms": lambda: insight.histograms(
            rule, number(asked, "bins", BINS, 2, 256),
            _names(asked.get("columns")) or ("clip_cosine", "ssim", "combined")),
        "page": lambda: _page(api, body, rule, find),
        "strip": lambda: curation.strip(rule, str(strip.get("column") or "combined"),
                                        number(strip, "count", 20, 1, 100)),
        "datasets": lambda: insight.datasets(rule),
        "entropy": lambda: insight.entropy(rule),
        "statistics": lambda: insight.statistics(rule),
        "judged": lambda: insight.judged(rule),
        "find": lambda: insight.found(studio.finding, rule, find),
        "command": lambda: curation.command(rule, str(body.get("name") or "SELECTION")),
    }


def _page(api: Api, body: Json, rule: SelectionRule, find: Find) -> Json:
    page = {**{name: body[name] for name in ("show", "order", "offset", "limit") if name in body},
            **(body.get("page") or {})}
    return api.studio.curation.page(
        rule, offset=number(page, "offset", 0, 0, 10**9), limit=number(page, "limit", 48, 1, 500),
        show=str(page.get("show", "kept")), order=str(page.get("order", "combined")), find=find,
        at=page["at"] if isinstance(page.get("at"), Mapping) else None)


def _find(api: Api, body: Json) -> Json:
    api.refresh()
    return api.studio.insight.found(api.studio.finding, _rule(api, body), find_of(body.get("find")))


def _percentile(api: Api, body: Json) -> Json:
    given = {name: _float(body, name) for name in ("value", "percentile")}
    return api.studio.insight.percentile(_rule(api, body), text(body, "column"), **given)


def _verdict(api: Api, body: Json) -> Json:
    verdicts, verdict, by = api.studio.verdicts, cast(Verdict, body.get("verdict")), actor()
    if "all" not in body:
        return verdicts.verdict(_ids(body), verdict, actor=by)
    asked = _object(body, "all")
    rule, find = _settled_rule(api, asked), find_of(asked.get("find"))
    show = str(asked.get("show") or "kept")
    if "from_rank" in asked:
        ranks = (number(asked, "from_rank", 0, 0, 10**9), number(asked, "to_rank", 0, 0, 10**9))
        return verdicts.verdict_on_range(rule, find, show, str(asked.get("order") or "combined"), ranks, verdict, by)
    expected = None if body.get("expected") is None else number(body, "expected", 0, 0, 10**9)
    return verdicts.verdict_on_all(rule, find, show, verdict, expected=expected, actor=by)


def _has_news(api: Api, values: Values) -> bool:
    api.refresh()
    version, people = (number(values, name, -1, -1, 2**62) if values.get(name) else None
                       for name in ("version", "people"))
    return api.studio.verdicts.has_news(number(values, "after", 0, 0, 2**31), version, people, actor())


def _news(api: Api, values: Values) -> Json:
    return api.studio.verdicts.news(number(values, "after", 0, 0, 2**31), actor())


def _thumbnails(api: Api, body: Json) -> Json:
    """The thumbnails of many candidates in one answer, base64; null where there is none."""
    found: dict[str, str | None] = {}
    for name in _ids(body, MAX_THUMBNAILS):
        try:
            content = api.studio.curation.thumbnail(candidate_id({"id": name}))
            found[name] = base64.b64encode(content).decode("ascii")
        except SynthVLMError:  # asked for alone, it says why
            found[name] = None
    return {"thumbnails": found}


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = body.get(name)
    if not isinstance(given, Mapping):
        raise BadSetting(f"{name} is missing", where=name)
    return given


def _names(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise BadSetting("columns is not a list of names", where="histograms")
    return tuple(given)


def _float(body: Mapping[str, Any], name: str) -> float | None:
    given = body.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadSetting(f"{name} {str(given)[:40]!r} is not a number", where=name, fix="Give a number, such as 0.25.")
    return float(given)


def _ids(body: Mapping[str, Any], most: int = MAX_IDS) -> list[str]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or len(ids) > most or not all(isinstance(item, str) for item in ids):
        raise BadSetting(f"ids is not a list of 1 to {most:,} candidate ids", where="ids")
    return ids
