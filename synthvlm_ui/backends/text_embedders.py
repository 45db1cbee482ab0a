"""Names of caption embedders: lm, lm:MODEL, sentence:MODEL, clip-text, clip-text:MODEL, or a Hub id or directory.

Listing and requiring import no engine. Knows no caption.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

from synthvlm_ui.backends.model_files import cached_snapshot, looks_like_hub_id, probe_hub
from synthvlm_ui.backends.registry import EMBEDDERS, create_embedder, require_embedder
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import ModelUnavailable, UnknownName
from synthvlm_ui.protocols import TextEmbedder

# Name -> what it is. A name alone means the small world's model.
TEXT_EMBEDDERS: dict[str, str] = {
    "lm": "language model, mean of the last hidden layer, as in Synth2; lm:HUB-ID or lm:DIRECTORY for another",
    "sentence": "sentence encoder of transformers: sentence:HUB-ID or sentence:DIRECTORY",
    "clip-text": "text tower of a CLIP; clip-text:NAME for another",
}
_ENCODER = "synthvlm_ui.backends.text_encoder"


def require_text_embedder(name: str) -> str:
    """Makes sure, within seconds, that a caption embedder can be had, and returns its full name.

    A name of an image embedder means its text tower, any other Hub id or directory a sentence encoder.
    Raises: UnknownName, ModelUnavailable, BadSetting.
    """
    kind, source = split_name(name)
    if kind == "clip-text":
        require_embedder(source)
    elif looks_like_hub_id(source):
        if cached_snapshot(source, "config.json") is None:
            probe_hub(source, "config.json")
    elif not (Path(source).expanduser() / "config.json").is_file():
        raise ModelUnavailable("no text model (config.json with *.safetensors)", where=source or name,
                               fix="Give a directory that save_pretrained wrote, or a Hub id.")
    return f"{kind}:{source}" if name not in TEXT_EMBEDDERS else name


def split_name(name: str) -> tuple[str, str]:
    """("lm" | "sentence" | "clip-text", which model). Raises: UnknownName."""
    kind, _, source = name.partition(":")
    if kind == "lm":
        return "lm", source or str(MINIATURE / "lm")
    if kind == "clip-text":
        return "clip-text", source or "miniature"
    if kind == "sentence" and source:
        return "sentence", source
    if name in EMBEDDERS:
        return "clip-text", name
    if looks_like_hub_id(name) or Path(name).expanduser().is_dir():
        return "sentence", name
    error = UnknownName.of("caption embedder", name, list(TEXT_EMBEDDERS))
    raise UnknownName(error.what, where="--embedder",
                      fix=f"{error.fix} Or clip-image, a Hub id (org/name), or a directory.")


def create_text_embedder(name: str, device: str = "auto") -> TextEmbedder:
    """Loads a caption embedder. Raises: UnknownName, ModelUnavailable, BadSetting, OutOfMemory."""
    kind, source = split_name(require_text_embedder(name))
    if kind == "clip-text":
        return create_embedder(source, device)
    from synthvlm_ui.backends.device import choose_device

    module: Any = importlib.import_module(_ENCODER)
    return cast(TextEmbedder, module.TextEncoder(source, kind, choose_device(device)))
