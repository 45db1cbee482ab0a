"""JSON routes of the train tab: what there is to choose, the look before a start, runs, evaluation, a picture to try.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.service.training.evaluation_desk import METRICS, EvaluationRequest
from synthvlm_ui.ui.routes.api import Api, Json, number, text
from synthvlm_ui.ui.routes.jobs import job_id

MAX_PICTURE_BYTES = 32 * 2**20
LISTS = ("selections", "real")
TEXTS = ("data", "images", "init_from", "configuration", "language", "vision_tower", "split", "log_to")
FLAGS = ("resume", "on_the_fly")


def train_routes(api: Api) -> list[Route]:
    """Routes of the train tab."""
    training, runs = api.studio.training, api.studio.runs
    return [
        api.get("/train/choices", lambda _values: {**training.recipes(), "metrics": METRICS}),
        api.post("/train/look", lambda body: training.preflight(_settings(api, body)), changes=False),
        api.post("/train/start", lambda body: {"job_id": training.start(_settings(api, body))}, changes=True),
        api.get("/train/runs", lambda _values: runs.list()),
        api.get("/train/run/{job}", lambda values: runs.progress(
            job_id(values), number(values, "after", 0, 0, 10**9))),
        api.post("/train/evaluate", lambda body: {"job_id": api.studio.evaluation.start(
            _evaluation(body), str(body.get("device") or "auto"))}, changes=True),
        api.post("/train/evaluate/command", lambda body: _evaluation_commands(api, body), changes=False),
        api.upload("/train/try", lambda content, values: api.studio.trials.caption(
            text(values, "model"), content, str(values.get("name") or "image")), MAX_PICTURE_BYTES),
    ]


def _settings(api: Api, body: Mapping[str, Any]) -> Any:
    """The settings a form sends; an empty field stands for the preset's own. Raises: BadSetting."""
    found: dict[str, Any] = {name: _names(body, name) for name in LISTS}
    found |= {name: str(body[name]).strip() for name in TEXTS if str(body.get(name) or "").strip()}
    found |= {name: bool(body.get(name)) for name in FLAGS}
    for name in ("max_steps", "batch_size"):
        if body.get(name) not in (None, ""):
            found[name] = number(body, name, 0, -10**9, 10**9)
    if body.get("learning_rate") not in (None, ""):
        found["learning_rate"] = _decimal(body["learning_rate"])
    if body.get("perceptual"):
        found["perceptual"] = str(body["perceptual"])
    return api.studio.training.settings(
        recipe=str(body.get("recipe") or ""), out=api.studio.training.out_of(str(body.get("out") or "").strip()),
        seed=number(body, "seed", 0, 0, 2**31), device=str(body.get("device") or "auto"), **found)


def _names(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = body.get(name) or []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise BadSetting(f"{name} is not a list of names", where=name)
    return tuple(given)


def _decimal(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadSetting(f"the learning rate {str(value)[:40]!r} is not a number", where="--learning-rate") from None


def _evaluation(body: Mapping[str, Any]) -> EvaluationRequest:
    given = {name: str(body[name]).strip() for name in ("dataset", "text", "include_path", "split")
             if str(body.get(name) or "").strip()}
    return EvaluationRequest(text(body, "model"), metrics=_names(body, "metrics"), tasks=_names(body, "tasks"),
                             limit=number(body, "limit", 0, 0, 10**9) or None, **given)


def _evaluation_commands(api: Api, body: Json) -> Json:
    """The line that does the same, and the one of the harness that is only shown."""
    desk, request = api.studio.evaluation, _evaluation(body)
    return {"command": desk.command(request), "lmms": desk.lmms_command(request.model, f"{request.model}-lmms-eval")}
