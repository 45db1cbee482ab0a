"""Routes of the compare tab: sets, pairs, pictures and figures, and blind studies.

Knows the studio's actions and the shape of a request; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.ui.routes.api import Api, Json, candidate_id, number, text
from synthvlm_ui.ui.routes.jobs import job_id

MAX_SETS = 12
CHANGEABLE = "private, max-age=30"
LASTING = "private, max-age=86400, immutable"


def compare_routes(api: Api) -> list[Route]:
    """Routes of the compare tab."""
    studio = api.studio
    comparison, preference = studio.comparison, studio.preference
    return [
        api.get("/compare/choices", lambda _values: {**comparison.choices(), **preference.studies()}),
        api.get("/compare/sets", lambda values: _sets(api, values)),
        api.get("/compare/pairs", lambda values: _pairs(api, values)),
        api.bytes("/compare/picture/{kind}/{id}/{second}", lambda values: comparison.picture(
            values["kind"], candidate_id(values), candidate_id(values, "second")), cache=LASTING),
        api.bytes("/compare/figure", lambda values: _figure(api, values), cache=CHANGEABLE),
        api.post("/compare/map", lambda body: _start(api, body, map=text(body, "method"), embeddings=str(
            body.get("embeddings") or "image")), changes=True),
        api.post("/compare/fid", lambda body: _start(api, body, fid_weights=text(body, "weights")), changes=True),
        api.get("/compare/latest", lambda values: comparison.latest(_specs(values))),
        api.get("/compare/job/{job}", lambda values: comparison.job_result(job_id(values))),
        api.post("/compare/sample", lambda body: _sample(api, body), changes=True),
        api.post("/compare/study", lambda body: preference.start(
            text(body, "name"), text(body, "real"), text(body, "synthetic"),
            pairs=number(body, "pairs", 50, 1, 5000), seed=number(body, "seed", 0, 0, 2**31)), changes=True),
        api.get("/compare/study/{study}/next", lambda values: preference.next(values["study"], values.get("rater"))),
        api.get("/compare/study/{study}/back", lambda values: preference.back(values["study"], values.get("rater"))),
        api.post("/compare/study/{study}/rate", lambda body: preference.rate(
            text(body, "study"), number(body, "pair", -1, -1, 10**6), text(body, "choice"), text(body, "rater")),
            changes=True),
        api.post("/compare/study/{study}/judge", lambda body: _judge(api, body), changes=True),
        api.get("/heads", lambda values: _heads(api, values)),
        api.post("/heads/learn", lambda body: {"job_id": studio.heads.start(text(body, "dataset"), text(body, "name"))},
                 changes=True),
        api.get("/compare/study/{study}", lambda values: {
            **preference.report(values["study"]), "command": preference.command(values["study"])}),
    ]


def _sample(api: Api, body: Json) -> Json:
    api.room(images=1)  # there are a few of them: who has any room left may have them
    return api.studio.real_images.load_sample(text(body, "which"))


def _specs(values: Mapping[str, Any]) -> list[str]:
    specs = [part for part in str(values.get("specs", "")).split(",") if part]
    if not 1 <= len(specs) <= MAX_SETS:
        raise BadSetting(f"{len(specs)} sets", where="specs", fix=f"Name 1 to {MAX_SETS}.")
    return specs


def _weight(values: Mapping[str, Any]) -> float:
    try:
        weight = float(values.get("lambda") or 0.5)
    except ValueError:
        raise BadSetting(f"lambda {values.get('lambda')!r} is not a number", where="lambda") from None
    if not 0 <= weight <= 100:
        raise BadSetting(f"lambda {weight}", where="lambda", fix="Give a number from 0 to 100.")
    return weight


def _sets(api: Api, values: Mapping[str, str]) -> Json:
    specs, weight = _specs(values), _weight(values)
    result = api.studio.comparison.sets(specs, ssim_weight=weight)
    return {**result, "command": api.studio.comparison.command(specs[0], specs[1:], weight)}


def _pairs(api: Api, values: Mapping[str, str]) -> Json:
    weight = _weight(values)
    real, synthetic = text(values, "real"), text(values, "synthetic")
    found = api.studio.comparison.pairs(
        real, synthetic, order=values.get("order", "largest-gap"), score=values.get("score", "combined"),
        offset=number(values, "offset", 0, 0, 10**9), limit=number(values, "limit", 1, 1, 100), ssim_weight=weight)
    return {**found, "command": api.studio.comparison.command(real, [synthetic], weight) + " --pairs 20"}


def _figure(api: Api, values: Mapping[str, str]) -> tuple[bytes, str]:
    job = values.get("job")
    return api.studio.comparison.figure(
        _specs(values), values.get("name", ""), values.get("format", "svg"), ssim_weight=_weight(values),
        job=job_id({"job": job}) if job else None, theme="dark" if values.get("theme") == "dark" else "light",
        width=number(values, "width", 720, 280, 1600))


def _start(api: Api, body: Json, **options: str) -> Json:
    """The job of a map or of FID, and the line that does the same."""
    specs = _specs(body)
    job = api.studio.comparison.start(specs, method=options.get("map"), embeddings=options.get("embeddings", "image"),
                                      fid_weights=options.get("fid_weights"))
    return {"job_id": job, "command": api.studio.comparison.command(specs[0], specs[1:], options=options)}


def _judge(api: Api, body: Json) -> Json:
    study, writer, limit = text(body, "study"), text(body, "writer"), number(body, "limit", 0, 0, 5000) or None
    job = api.studio.preference.judge(study, writer, limit=limit)
    return {"job_id": job, "command": api.studio.preference.command(study, writer=writer, limit=limit)}


def _heads(api: Api, values: Mapping[str, str]) -> Json:
    """The heads there are; for a dataset also its verdicts, and the line that learns another one from them."""
    heads, dataset = api.studio.heads, values.get("dataset")
    shown = heads.list()
    if dataset:
        shown |= {"verdicts": heads.verdicts(dataset), "command": heads.command(dataset, values.get("name", ""))}
    return shown
