"""Where a training reports to, and what may tell it to stop. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Watcher(Protocol):
    """``phase`` says what happens before the first step, ``numbers`` what a step gave."""

    def phase(self, message: str, done: int = 0, total: int = 0) -> None: ...

    def numbers(self, step: int, steps: int, numbers: Mapping[str, float]) -> None: ...

    def should_stop(self) -> bool: ...
