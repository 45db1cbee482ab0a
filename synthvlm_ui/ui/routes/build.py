"""All routes of the app beside gradio's own: scripts and styles, pictures, and the rooms' JSON.

They stand under /gradio_api/ because that is the prefix every way of serving gradio passes through to Python.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from synthvlm_ui.ui.routes.api import PREFIX, Api, candidate_id
from synthvlm_ui.ui.routes.caption_rules import caption_rule_routes
from synthvlm_ui.ui.routes.captions import caption_routes
from synthvlm_ui.ui.routes.compare import compare_routes
from synthvlm_ui.ui.routes.curate import curate_routes
from synthvlm_ui.ui.routes.diversity import diversity_routes
from synthvlm_ui.ui.routes.export import export_routes
from synthvlm_ui.ui.routes.findings import findings_routes
from synthvlm_ui.ui.routes.hub import hub_routes
from synthvlm_ui.ui.routes.jobs import job_routes
from synthvlm_ui.ui.routes.train import train_routes

IMMUTABLE = "private, max-age=31536000, immutable"  # a candidate's id follows from what determines its pixels
MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def build_routes(api: Api) -> list[Route]:
    """Every route, in the order they are tried."""
    studio = api.studio
    return [
        *static_routes(),
        api.bytes("/thumb/{id}", lambda values: (studio.curation.thumbnail(candidate_id(values)), "image/webp"),
                  cache=IMMUTABLE),
        api.bytes("/image/{id}", lambda values: studio.curation.image(candidate_id(values)), cache=IMMUTABLE),
        *job_routes(api),
        *caption_routes(api),
        *hub_routes(api),
        *curate_routes(api),
        *compare_routes(api),
        *diversity_routes(api),
        *export_routes(api),
        *train_routes(api),
        *findings_routes(api),
        *caption_rule_routes(api),
    ]


def static_routes() -> list[Route]:
    """The app's scripts and styles, read once; only these names exist."""
    contents = _static_files()

    def endpoint(request: Request) -> Response:
        found = contents.get(request.path_params["name"])
        if found is None:
            return Response("no such file", 404, media_type="text/plain")
        content, media_type, tag = found
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return [Route(PREFIX + "/static/{name:path}", endpoint, methods=["GET"])]


def _static_files() -> dict[str, tuple[bytes, str, str]]:
    found = {}
    folders = [(name, files("synthvlm_ui.ui").joinpath(name)) for name in ("js", "css")]
    while folders:
        folder, opened = folders.pop()
        for entry in opened.iterdir():
            media_type = MEDIA_TYPES.get("." + entry.name.rpartition(".")[2])
            if entry.is_dir():
                folders.append((f"{folder}/{entry.name}", entry))
            elif media_type:
                content = entry.read_bytes()
                tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
                found[f"{folder}/{entry.name}"] = (content, media_type, tag)
    return found
