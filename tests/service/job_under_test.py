"""A job's context without a worker: its directory, its config, and a stop after so many reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Reports:
    """Progress that remembers, and asks to stop after ``stop_after`` looks."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self._left = stop_after

    def update(self, done: int, total: int, *, failed: int = 0, message: str = "") -> None:
        self.rows.append((done, total, failed))

    def restart_rate(self) -> None: ...

    def should_stop(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0


class InlineContext:
    """What a handler uses of a JobContext, run where the test runs."""

    def __init__(self, directory: Path, config: dict[str, Any], stop_after: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.dir, self.config, self.id = directory, config, directory.name
        self.progress = Reports(stop_after)
        self.device = "cpu"

    def check_disk(self, path: Path, needed_bytes: int = 0) -> None:
        assert path.exists()

    def log(self, text: str) -> None:
        pass
