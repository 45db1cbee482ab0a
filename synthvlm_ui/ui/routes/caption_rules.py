"""JSON routes of the panel that curates captions: what settings would do, examples, curating, verdicts, calibration.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import Verdict
from synthvlm_ui.ui.routes.api import Api, Json, number, page_writer, text

MAX_IDS = 10_000
PARTS = ("steps", "histograms", "rules", "presets")


def caption_rule_routes(api: Api) -> list[Route]:
    """Routes under /captions/rules/."""
    desk = api.studio.caption_curation

    def start(body: Json) -> Json:
        dataset, settings = text(body, "dataset"), desk.settings_from(_object(body, "settings"))
        page_writer(str(settings.options("llm_gate")["writer"] or ""), "llm_gate.writer")
        if desk.needs_job(dataset, settings):
            return {"job_id": desk.start(dataset, settings)}
        return {"report": desk.curate(dataset, settings)}

    def examples(body: Json) -> Json:
        return desk.examples(
            text(body, "dataset"), desk.settings_from(_object(body, "settings")), rule=str(body.get("rule") or ""),
            show=str(body.get("show") or "rejected"), offset=number(body, "offset", 0, 0, 10**9),
            limit=number(body, "limit", 12, 1, 100))

    def calibrate(body: Json) -> Json:
        settings = desk.settings_from(_object(body, "settings"))
        found = desk.calibrate(text(body, "dataset"), settings, _percentile(body, "low"), _percentile(body, "high"))
        return {"settings": found.to_json()}

    return [
        api.post("/captions/rules/view", lambda body: _view(api, body), changes=False),
        api.post("/captions/rules/examples", examples, changes=False),
        api.post("/captions/rules/calibrate", calibrate, changes=False),
        api.post("/captions/rules/curate", start, changes=True),
        api.post("/captions/rules/verdict", lambda body: desk.verdict(
            text(body, "dataset"), _ids(body), cast(Verdict, body.get("verdict"))), changes=True),
    ]


def _view(api: Api, body: Json) -> Json:
    """What the settings would do; without settings those in force, or a preset's. ``measured`` is False while a job
    has to measure the captions first. ``sequence`` comes back so that late answers can be dropped."""
    desk, dataset = api.studio.caption_curation, text(body, "dataset")
    if body.get("settings") is not None:
        settings = desk.settings_from(_object(body, "settings"))
    elif body.get("preset"):
        settings = desk.settings(str(body["preset"]))
    else:
        settings = desk.settings_in_force(dataset)
    parts = tuple(part for part in body.get("parts") or PARTS if part in PARTS)
    found = desk.view(dataset, settings, parts=parts)
    return {"sequence": body.get("sequence", 0), **found}


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = body.get(name)
    if not isinstance(given, Mapping):
        raise BadSetting(f"{name} is missing", where=name)
    return given


def _ids(body: Mapping[str, Any]) -> list[str]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or len(ids) > MAX_IDS or not all(isinstance(one, str) for one in ids):
        raise BadSetting(f"ids is not a list of 1 to {MAX_IDS:,} caption ids", where="ids")
    return ids


def _percentile(body: Mapping[str, Any], name: str) -> float:
    given = body.get(name)
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise BadSetting(f"{name} is not a number", where=name, fix="Give a percentile from 0 to 100.")
    return float(given)
