"""JSON routes of the whole workspace, captions, generation and jobs.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from starlette.routing import Route

from synthvlm_ui.config import DEFAULT_GENERATOR, DEFAULT_SCORERS
from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service import Placement, parse_axis
from synthvlm_ui.ui.routes.api import Api, Json, candidate_id, login, number, text

JOB_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
WHOLE_NUMBERS = {"images_per_caption", "seed", "num_inference_steps", "width", "height", "batch_size", "chunk_images",
                 "draft_num_inference_steps"}
DECIMALS = {"guidance_scale", "denoising_end", "draft_clip_min", "draft_audit"}
SLURM = "slurm"  # its tasks are started by sbatch, never from here: a page only sees the line and the script
FLAGS = {"compile", "fuse_qkv"}
CHOSEN_IN_PAGE = WHOLE_NUMBERS | DECIMALS | FLAGS | {
    "generator", "negative_prompt", "prompt_template", "device", "dtype", "offload", "vae", "attention", "scheduler",
    "lora", "refiner", "draft_generator"}


def job_routes(api: Api) -> list[Route]:
    """Routes of the page's state, captions, generation and jobs."""
    studio = api.studio

    def state(_values: Mapping[str, str]) -> Json:
        api.refresh()
        summary = studio.summary()
        summary["problems"] = [str(problem) for problem in summary["problems"]]
        return {"summary": summary, "jobs": studio.jobs.list()["jobs"], "read_only": api.read_only, "login": login(),
                "notice": studio.notice, "hardware": studio.hardware, "visitor": api.standing()}

    def captions(values: Mapping[str, str]) -> Any:
        return studio.captions.page(text(values, "dataset"), number(values, "offset", 0, 0, 10**9),
                                    number(values, "limit", 50, 1, 500))

    return [
        api.get("/state", state),
        api.get("/info", lambda _values: studio.info()),
        api.get("/captions", captions),
        api.get("/generators", lambda _values: {"generators": studio.generation.generators(),
                                             "executors": studio.generation.executors()}),
        api.post("/words", lambda body: studio.captions.unknown_words(str(body.get("text", ""))[:4000]),
                 changes=False),
        api.post("/estimate", lambda body: _estimate(api, body), changes=False),
        api.post("/prompts", lambda body: api.studio.generation.preview_prompts(generation_settings(body),
                                                                                **_source(body)), changes=False),
        api.post("/matrix", lambda body: {"cells": _start_matrix(api, body)}, changes=True),
        api.post("/matrix/cells", lambda body: {"cells": studio.matrix.show(_cells(body))}, changes=False),
        api.post("/generate", lambda body: {"job_id": _start(api, body)}, changes=True),
        api.post("/score", lambda body: _score(api, body), changes=True),
        api.post("/demo", lambda _body: {"job_id": studio.generation.start_demo()}, changes=True),
        api.get("/jobs/{job}", lambda values: studio.jobs.show(job_id(values))),
        api.get("/jobs/{job}/live",
                lambda values: studio.jobs.live(job_id(values), number(values, "after", 0, 0, 10**9))),
        api.bytes("/jobs/{job}/image/{id}", lambda values: _live_image(api, values),
                  cache="private, max-age=3600"),
        api.post("/jobs/{job}/stop", lambda body: studio.jobs.stop(job_id(body)), changes=True),
        api.post("/jobs/{job}/resume", lambda body: studio.jobs.resume(job_id(body)), changes=True),
    ]


def job_id(values: Mapping[str, Any]) -> str:
    """The job id in a path; anything that could be a path is unknown. Raises: UnknownName."""
    given = str(values["job"])
    if not given or len(given) > 80 or not JOB_ID_CHARACTERS.issuperset(given):
        raise UnknownName(f"unknown job {given[:40]!r}")
    return given


def generation_settings(body: Mapping[str, Any]) -> GenerationSettings:
    """The settings a form sends: an empty field stands for the generator's own default. Raises: BadSetting."""
    given = body.get("settings") or {}
    known = {field.name for field in fields(GenerationSettings)} & CHOSEN_IN_PAGE
    chosen: dict[str, Any] = {"generator": DEFAULT_GENERATOR}
    for name, value in given.items():
        if name in known and value not in (None, ""):
            chosen[name] = _typed(name, value)
    return GenerationSettings(**chosen)


def _typed(name: str, value: Any) -> Any:
    if name in FLAGS:
        return value is True
    convert = int if name in WHOLE_NUMBERS else float if name in DECIMALS else str
    try:
        return convert(value)
    except (TypeError, ValueError):
        kind = "a whole number" if name in WHOLE_NUMBERS else "a number"
        raise BadSetting(f"{name} {value!r} is not {kind}", where=name) from None


def _source(body: Mapping[str, Any]) -> dict[str, Any]:
    """Either a prompt or a dataset, and how many captions of it at most. Raises: BadSetting."""
    if str(body.get("prompt") or "").strip():
        return {"prompt": text(body, "prompt"), "limit": number(body, "variations", 0, 0, 1000) or None}
    if not str(body.get("dataset") or "").strip():
        raise BadSetting("there is nothing to draw", fix="Type a prompt or choose a dataset.")
    limit = number(body, "limit", 0, 0, 10**9) or None
    return {"dataset": text(body, "dataset"), "limit": limit, "captions": str(body.get("captions") or "kept")}


def _placement(body: Mapping[str, Any]) -> Placement:
    """Where a form's run is carried out. A cluster's address is never taken from a page. Raises: BadSetting."""
    executor = str(body.get("executor") or "local")
    workers = number(body, "ray_workers", 0, 0, 1024) or None
    return Placement(executor, ray_workers=workers if executor == "ray" else None)


def _estimate(api: Api, body: Json) -> Json:
    settings, source, generation = generation_settings(body), _source(body), api.studio.generation
    estimate = generation.estimate(settings, **source)
    if body.get("executor") == SLURM:
        tasks = number(body, "slurm_tasks", 8, 1, 10_000)
        return {**estimate, "command": generation.slurm_command(settings, tasks, **source),
                "script": generation.slurm(settings, tasks, **source)}
    return {**estimate, "command": generation.command(settings, **source, placement=_placement(body))}


def _start(api: Api, body: Json) -> str:
    settings, source = generation_settings(body), _source(body)
    if api.lobby is not None:
        api.room(images=api.studio.generation.estimate(settings, **source)["images"])
    return api.studio.generation.start(settings, **source, placement=_placement(body))


def _start_matrix(api: Api, body: Json) -> list[Json]:
    axes = body.get("axes")
    if not isinstance(axes, list) or not all(isinstance(axis, str) for axis in axes):
        raise BadSetting("the axes of the matrix are missing", where="axes", fix="Choose one or two.")
    # One image a cell: the form's number is for the run that it starts itself.
    settings = replace(generation_settings(body), images_per_caption=1)
    parsed = [parse_axis(axis) for axis in axes]
    api.room(images=math.prod(len(axis.values) for axis in parsed))
    return api.studio.matrix.start(settings, text(body, "prompt"), parsed)


def _cells(body: Json) -> list[Json]:
    cells = body.get("cells")
    if not isinstance(cells, list) or len(cells) > 64 or not all(isinstance(cell, dict) for cell in cells):
        raise BadSetting("these are no cells of a matrix", where="cells")
    return [{"x": str(cell.get("x", "")), "y": str(cell.get("y", "")), "job_id": job_id({"job": cell.get("job_id")})}
            for cell in cells]


def _score(api: Api, body: Json) -> Json:
    """Scores a dataset by the default scorers, or by those that are named with commas as on the command line."""
    scoring, dataset = api.studio.scoring, text(body, "dataset")
    named = tuple(part.strip() for part in str(body.get("scorers") or "").split(",") if part.strip())
    scorers = named or DEFAULT_SCORERS
    return {"job_id": scoring.start(dataset, scorers=scorers), "command": scoring.command(dataset, scorers)}


def _live_image(api: Api, values: Mapping[str, str]) -> tuple[bytes, str]:
    return api.studio.jobs.live_image(job_id(values), candidate_id(values))
