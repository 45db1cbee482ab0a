"""A jobs folder, the command of a small real worker, and a clean end for every worker a test has started."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synthvlm_ui.jobs import JobDirectory, ensure_worker, locks
from synthvlm_ui.jobs.directory import worker_lock_path

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """What a test does with jobs: queue one, have a worker, wait for something."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs = JobDirectory(path / "jobs")
        self.out = path / "out"
        self.env = {"PYTHONPATH": str(ROOT)}

    def command(self, device: str = "cpu", idle_s: float = 20.0) -> list[str]:
        script = str(Path(__file__).with_name("worker_under_test.py"))
        return [sys.executable, script, str(self.jobs.path), device, str(idle_s)]

    def work(self, device: str = "cpu", idle_s: float = 20.0) -> bool:
        return ensure_worker(self.jobs.path, device, self.command(device, idle_s), self.env)

    def count(self, steps: int, seconds: float = 0.0, device: str = "cpu") -> str:
        return self.jobs.create("count", {"steps": steps, "seconds": seconds, "out": str(self.out)}, device)

    def state(self, id: str) -> str:
        return self.jobs.show(id).state

    def owner_pid(self, device: str = "cpu") -> int | None:
        owner = locks.owner_of(worker_lock_path(self.jobs.path, device))
        return int(owner["pid"]) if owner else None

    def until(self, holds: Callable[[], object], within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, [s.to_json() for s in self.jobs.list()]
            time.sleep(0.005)

    def until_state(self, id: str, *states: str) -> None:
        self.until(lambda: self.state(id) in states)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    for lock in desk.jobs.path.glob(".workers/*.lock"):
        owner = locks.owner_of(lock)
        if owner:
            os.kill(int(owner["pid"]), signal.SIGKILL)
