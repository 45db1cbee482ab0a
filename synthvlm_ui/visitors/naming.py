"""What a visitor may name: only what ships with the program. Knows the fields of requests, opens nothing.

Whatever names a model, a file, a data set or a server stands in a field with one of these names, on every route. So one
look at a request's object, however deep, keeps strangers from having this machine load or ask something of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from synthvlm_ui.errors import BadSetting

_SHIPPED = ("", "miniature")
# The forms send a rule's defaults back; one of them names this model, and no other.
_BY_DEFAULT = ("", "Salesforce/blip-itm-base-coco")
ALLOWED: dict[str, tuple[str, ...]] = {
    "generator": _SHIPPED, "draft_generator": _SHIPPED, "refiner": _SHIPPED, "lora": ("",), "writer": _SHIPPED,
    "embedder": ("", "lm", "clip-text", "clip-image"), "clip_model": _SHIPPED, "model": _BY_DEFAULT,
    "list": ("",), "pieces": ("",), "weights": ("",), "device": ("", "auto", "cpu"), "executor": ("", "local"),
    "address": ("",), "out": ("",), "repo": ("",),
}
SCORERS = frozenset({"clip", "ssim", "guards"})
_FIX = "Run SynthVLM UI on a machine of your own to use others."


def check_named(body: Any) -> None:
    """Raises: BadSetting when a request names something that does not ship with the program."""
    for name, value in _fields(body):
        if name in ALLOWED and _text(value) not in ALLOWED[name]:
            raise BadSetting(f"visitors of this demo cannot choose {name} {_text(value)[:60]!r}", where=name, fix=_FIX)
        if name == "scorers" and not set(_words(value)) <= SCORERS:
            raise BadSetting("visitors of this demo score with clip, ssim and guards", where="scorers", fix=_FIX)
        if name == "axes" and isinstance(value, list) and any(
                str(axis).partition("=")[0].strip().replace("-", "_") in ALLOWED for axis in value):
            raise BadSetting("visitors of this demo cannot compare generators", where="axes", fix=_FIX)


def _fields(body: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(body, Mapping):
        for name, value in body.items():
            yield str(name).rpartition(".")[2].replace("-", "_"), value
            yield from _fields(value)
    elif isinstance(body, list):
        for each in body:
            yield from _fields(each)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _words(value: Any) -> list[str]:
    words = value if isinstance(value, list) else str(value or "").split(",")
    return [str(word).strip() for word in words if str(word).strip()]
