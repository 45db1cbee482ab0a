"""How long an image takes: measured by every finished run, guessed before the first.

Knows no engine; the guess is only for the first estimate and is marked as such ("measured": false).
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

# seconds per image on two CPU cores or one data-centre card before anything was measured here
_FIRST_GUESS_S = {("miniature", "cpu"): 0.12}
_GUESS_CPU_S_PER_STEP_MPX = 14.0
_GUESS_GPU_S_PER_STEP_MPX = 0.05
_BYTES_PER_PIXEL = {"webp": 1.1, "png": 1.4, "jpeg": 0.35}
_FIXED_BYTES_PER_IMAGE = 9_000


@dataclass(frozen=True)
class Rate:
    """Seconds per image and whether this workspace has measured it."""

    seconds: float
    measured: bool


class Rates:
    """The rates of one workspace, in one small JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, generator: str, device: str, num_inference_steps: int, width: int, height: int) -> Rate:
        known = self._read().get(_key(generator, device, num_inference_steps, width, height))
        if known is not None:
            return Rate(float(known), True)
        return first_guess(generator, device, num_inference_steps, width, height)

    def put(self, generator: str, device: str, num_inference_steps: int, width: int, height: int,
            seconds: float) -> None:
        """Remembers a measured rate. Units: seconds per image, all stages included."""
        rates = self._read()
        rates[_key(generator, device, num_inference_steps, width, height)] = round(seconds, 5)
        handle, name = tempfile.mkstemp(dir=self._path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(rates, file)
        os.replace(name, self._path)

    def _read(self) -> dict[str, float]:
        try:
            rates = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a lost estimate is no reason to stop anybody
            return {}
        return rates if isinstance(rates, dict) else {}


def first_guess(generator: str, device: str, num_inference_steps: int, width: int, height: int) -> Rate:
    """The rate before anything was measured: the same in every process. Units: px, seconds per image."""
    if (generator, device) in _FIRST_GUESS_S:
        return Rate(_FIRST_GUESS_S[generator, device] * num_inference_steps / 8, False)
    per_step = _GUESS_CPU_S_PER_STEP_MPX if device == "cpu" else _GUESS_GPU_S_PER_STEP_MPX
    return Rate(per_step * num_inference_steps * width * height / 2**20, False)


def bytes_per_image(width: int, height: int, image_format: str) -> int:
    """Expected size on disk of one image with its thumbnail, facts and scores. Units: bytes."""
    return int(width * height * _BYTES_PER_PIXEL[image_format]) + _FIXED_BYTES_PER_IMAGE


def _key(generator: str, device: str, steps: int, width: int, height: int) -> str:
    return f"{generator}|{device}|{steps}|{width}x{height}"
