"""JSON routes of the form that brings captions from the Hugging Face Hub. Knows the shape of a request."""

from __future__ import annotations

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.service import HubImport
from synthvlm_ui.ui.routes.api import Api, Json, number, text


def hub_routes(api: Api) -> list[Route]:
    """Routes under /hub/; all but the command line queue a job."""
    hub = api.studio.hub

    def images(body: Json) -> Json:
        return {"job_id": api.studio.real_images.start(text(body, "dataset"), _source(api, body),
                                                       caption_source=text(body, "caption_source"))}

    return [
        api.post("/hub/command", lambda body: {"command": hub.command(_wanted(api, body), bool(body.get("images")))},
                 changes=False),
        api.post("/hub/preview", lambda body: {"job_id": hub.start(_wanted(api, body, preview=True))}, changes=True),
        api.post("/hub/import", lambda body: {"job_id": hub.start(_wanted(api, body))}, changes=True),
        api.post("/hub/images", images, changes=True),
    ]


def _wanted(api: Api, body: Json, preview: bool = False) -> HubImport:
    caption = str(body.get("caption") or "").strip()
    return HubImport(_source(api, body), text(body, "dataset"), limit=number(body, "limit", 10_000, 1, 100_000_000),
                     mapping={"caption": caption} if caption else {}, preview=preview)


def _source(api: Api, body: Json) -> str:
    """The data set that is named, as ``hf:USER/NAME...``: a page names no file of this machine. Raises: BadSetting."""
    given = text(body, "source").strip()
    chosen = {name: str(body.get(name) or "").strip() for name in ("config", "split", "files")}
    named = api.studio.hub.named(given if given.startswith(("hf:", "https://")) else f"hf:{given}", **chosen)
    if named is None:
        raise BadSetting(f"{given!r} names no data set of the Hub", fix="Give it as user/name.")
    return named
