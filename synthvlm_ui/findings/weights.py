"""Which weights of the small world a result belongs to. Imports no torch."""

from __future__ import annotations

import hashlib
from functools import cache

from synthvlm_ui.config import MINIATURE

_WEIGHTS = ("lm/model.safetensors", "vq/model.safetensors", "generator/model.safetensors",
            "clip/open_clip_model.safetensors")


@cache
def weights_key() -> str:
    """12 hex digits over the shipped weights: what was measured with others is kept apart. Raises: OSError."""
    total = hashlib.sha256()
    for name in _WEIGHTS:
        total.update((MINIATURE / name).read_bytes())
    return total.hexdigest()[:12]
