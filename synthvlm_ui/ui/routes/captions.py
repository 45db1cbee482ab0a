"""JSON routes of writing captions: the writers, a preview of prompts, and starting the job.

Knows the shape of a request; decides nothing but which servers a page may name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.service import WritingSettings
from synthvlm_ui.ui.routes.api import Api, Json, number, page_writer, text

MAX_CLASSES_CHARACTERS = 400_000


def caption_routes(api: Api) -> list[Route]:
    """Routes of the captions tab beside those that gradio serves."""
    studio = api.studio

    def preview(body: Json) -> Json:
        return studio.writing.preview(*_settings(api, body))

    def start(body: Json) -> Json:
        settings, typed = _settings(api, body)
        api.room(rows=settings.count)
        return {"job_id": studio.writing.start(settings, typed)}

    return [
        api.get("/writers", lambda _values: {"writers": studio.writing.writers()}),
        api.post("/write/preview", preview, changes=False),
        api.post("/write", start, changes=True),
    ]


def _settings(api: Api, body: Mapping[str, Any]) -> tuple[WritingSettings, str]:
    """What the form asks for, and the classes typed into it. Raises: BadSetting."""
    writer = page_writer(text(body, "writer"))
    typed = str(body.get("classes") or "")
    if len(typed) > MAX_CLASSES_CHARACTERS:
        raise BadSetting("the list of classes is too long for a form", fix="Give it as a file on the command line.")
    chosen: dict[str, Any] = {
        "dataset": text(body, "dataset"), "count": number(body, "count", 100, 1, 10**6), "writer": writer,
        "seed": number(body, "seed", 0, 0, 2**32 - 1), "sampling": str(body.get("sampling") or "uniform"),
        "classes": "FILE" if typed.strip() else None}
    for name in ("words", "writing_prompt"):
        if str(body.get(name) or "").strip():
            chosen[name] = str(body[name]).strip()
    for name in ("max_requests", "max_tokens"):
        if body.get(name) not in (None, ""):
            chosen[name] = number(body, name, 1, 1, 10**12)
    temperature = body.get("temperature")
    if temperature not in (None, ""):
        try:
            chosen["temperature"] = float(temperature)
        except (TypeError, ValueError):
            raise BadSetting(f"temperature {temperature!r} is not a number", where="temperature") from None
    return WritingSettings(**chosen), typed
