"""JSON routes of the diversity tab, the points of a map as bytes, and the plotting library from its own package.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.ui.routes.api import PREFIX, Api, Json, number, page_writer, text
from synthvlm_ui.ui.routes.jobs import job_id

MAX_POINTS = 200_000
PLOTLY = Path("package_data") / "plotly.min.js"
LISTS = ("datasets", "selections", "parts")


def diversity_routes(api: Api) -> list[Route]:
    """Routes of the diversity tab."""
    desk, maps = api.studio.diversity, api.studio.diversity_maps
    return [
        Route(PREFIX + "/plotly.js", _plotly, methods=["GET"]),
        api.get("/diversity/choices", lambda _values: {"embedders": desk.embedders(), "methods": maps.methods(),
                                                       "runs": desk.runs()["runs"]}),
        api.post("/diversity/command", lambda body: {"command": desk.command(_settings(body))}, changes=False),
        api.post("/diversity/start", lambda body: {"job_id": _start(api, body)}, changes=True),
        api.get("/diversity/run/{job}", lambda values: {**desk.report(job_id(values)),
                                                        "maps": maps.made(job_id(values))}),
        api.get("/diversity/progress/{job}", lambda values: _progress(api, values)),
        api.get("/diversity/cuts/{job}", lambda values: maps.cuts(
            job_id(values), text(values, "dataset"), values.get("column") or "combined")),
        api.post("/diversity/map", lambda body: {"job_id": maps.start(text(body, "run"), text(body, "method"))},
                 changes=True),
        api.bytes("/diversity/map/{job}/{method}", lambda values: (
            maps.points(job_id(values), values["method"]), "application/octet-stream"), cache="no-store"),
        api.post("/diversity/points", lambda body: maps.look(text(body, "run"), text(body, "method"), _points(body)),
                 changes=False),
        api.post("/diversity/select", lambda body: maps.select(
            text(body, "run"), text(body, "method"), _points(body), text(body, "name")), changes=True),
        api.post("/diversity/gaps", lambda body: maps.gaps(
            text(body, "run"), text(body, "set"), number(body, "count", 100, 1, 100_000)), changes=False),
        api.post("/diversity/fill", lambda body: {"job_id": _fill(api, body)}, changes=True),
    ]


def _settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the form asks for. Raises: BadSetting."""
    found: dict[str, Any] = {}
    for name in LISTS:
        given = body.get(name) or []
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise BadSetting(f"{name} is not a list of names", where=name)
        found[name] = given
    elbow = body.get("elbow")
    if elbow is not None and not (isinstance(elbow, list) and len(elbow) == 2 and all(type(k) is int for k in elbow)):
        raise BadSetting("elbow is not two whole numbers", where="elbow")
    return {**found, "embedder": str(body.get("embedder") or "lm"), "k": number(body, "k", 20, 0, 100_000),
            "seed": number(body, "seed", 0, 0, 2**31), "fits": number(body, "fits", 5, 0, 1000), "elbow": elbow}


def _start(api: Api, body: Json) -> str:
    settings = _settings(body)
    return api.studio.diversity.start(settings.pop("datasets"), settings.pop("selections"), **settings)


def _fill(api: Api, body: Json) -> str:
    count = number(body, "count", 100, 1, 100_000)
    api.room(rows=count)
    return api.studio.diversity_maps.fill(text(body, "run"), text(body, "set"), count,
                                          page_writer(str(body.get("writer") or "miniature")))


def _progress(api: Api, values: Mapping[str, str]) -> Json:
    """How far a job is and every number it has told of so far."""
    job = api.studio.jobs.show(job_id(values))
    keys = ("state", "message", "done", "total", "progress", "error", "result")
    return {**{key: job[key] for key in keys}, "metrics": api.studio.jobs.metrics(job_id(values))}


def _points(body: Mapping[str, Any]) -> list[int]:
    points = body.get("points")
    if not isinstance(points, list) or not points or len(points) > MAX_POINTS \
            or not all(type(point) is int for point in points):
        raise BadSetting(f"points is not a list of 1 to {MAX_POINTS:,} numbers", where="points")
    return points


@lru_cache(maxsize=1)
def _plotly_bytes() -> bytes:
    """plotly.js as its Python package carries it, compressed once; the package itself is never imported."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        return b""
    return gzip.compress((Path(next(iter(spec.submodule_search_locations))) / PLOTLY).read_bytes(), 6)


async def _plotly(request: Request) -> Response:
    content = await run_in_threadpool(_plotly_bytes)
    if not content:
        return Response("the package plotly is not installed", 404, media_type="text/plain")
    headers = {"Cache-Control": "private, max-age=86400", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(content, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(content), media_type="text/javascript", headers=headers)
