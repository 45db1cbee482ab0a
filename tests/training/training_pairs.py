"""Pairs in memory and a tiny world to train on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from synthvlm_ui.protocols import UInt8Image

COLOURS = {"red": (220, 40, 40), "blue": (40, 60, 220), "green": (40, 180, 70), "yellow": (230, 210, 50)}


class FewPairs:
    """Squares of a colour on a ground of another, as PNG files."""

    def __init__(self, count: int = 12, side: int = 32, key: str = "few") -> None:
        self.key = key
        names = list(COLOURS)
        self.pairs = [self._draw(names[i % 4], names[(i // 4 + i + 1) % 4], side, i) for i in range(count)]

    @staticmethod
    def _draw(thing: str, ground: str, side: int, number: int) -> tuple[bytes, str]:
        pixels = np.full((side, side, 3), COLOURS[ground], np.uint8)
        left = 4 + number % 3 * side // 8
        pixels[side // 4: side // 4 * 3, left: left + side // 2] = COLOURS[thing]
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue(), f"a {thing} wall on a {ground} meadow"

    def __len__(self) -> int:
        return len(self.pairs)

    def image(self, index: int) -> bytes | UInt8Image:
        return self.pairs[index][0]

    def caption(self, index: int) -> str:
        return self.pairs[index][1]


class Watching:
    """Remembers what was reported; asks to stop after ``stop_after`` steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.losses: dict[int, float] = {}
        self.rows: list[dict[str, float]] = []
        self.phases: list[str] = []
        self.stop_after = stop_after

    def phase(self, message: str, done: int = 0, total: int = 0) -> None:
        self.phases.append(message)

    def numbers(self, step: int, steps: int, numbers: Mapping[str, Any]) -> None:
        assert step not in self.losses
        self.losses[step] = numbers["loss"]
        self.rows.append(dict(numbers))

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.losses) >= self.stop_after
