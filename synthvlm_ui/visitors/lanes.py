"""Lanes: one worker at a time for the jobs of all visitors, so that many of them never hold many models in memory.

Models compute in one lane, files are written in another, so that an export does not wait behind drawing. Knows the
workspaces of visitors by their studios, and no page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthvlm_ui.jobs import worker_state
from synthvlm_ui.service import Studio
from synthvlm_ui.service.work.job_desk import CARDLESS
from synthvlm_ui.visitors.turns import Turn, Turns

Queued = Mapping[str, list[dict[str, Any]]]  # the jobs of each visitor that wait, first come first


@dataclass(frozen=True)
class _Running:
    visitor: str
    studio: Studio
    device: str
    since_s: float


class Lane:
    """The jobs of one sort."""

    def __init__(self, writes_files: bool) -> None:
        self._writes_files = writes_files
        self._turns = Turns()
        self._running: _Running | None = None

    @property
    def visitor(self) -> str | None:
        """Whose job runs."""
        return self._running.visitor if self._running else None

    def look(self, studios: Mapping[str, Studio], queued: Queued) -> None:
        """Notes that a worker has left, and starts the next one."""
        if self._running is not None:
            running = self._running
            if worker_state(running.studio.workspace.paths.jobs, running.device) != "absent":
                return
            self._turns.took(time.monotonic() - running.since_s)
            self._running = None
        visitor = self._turns.next(self._waiting(queued))
        if visitor is None:
            return
        device = next(job["device"] for job in queued[visitor] if self._takes(job))
        self._turns.began(visitor)
        self._running = _Running(visitor, studios[visitor], device, time.monotonic())
        studios[visitor].jobs.start_worker(device, most_jobs=1)

    def places(self, queued: Queued) -> dict[str, Turn]:
        """The turn of every job that waits, by its id."""
        waiting = self._waiting(queued)
        return self._turns.places(waiting, self._left_s()) if any(waiting.values()) else {}

    def leave(self, visitor: str) -> None:
        """Ends what runs for a visitor who is gone."""
        self._turns.forget(visitor)
        if self._running is not None and self._running.visitor == visitor:
            self.stop("the visitor left")

    def stop(self, reason: str) -> None:
        """Stops what runs, and writes the reason into its log."""
        if self._running is not None:
            self._running.studio.jobs.stop_all(self._running.device, reason)

    def _waiting(self, queued: Queued) -> dict[str, list[str]]:
        """The ids of each visitor's jobs in this lane."""
        return {name: [job["id"] for job in jobs if self._takes(job)] for name, jobs in queued.items()}

    def _takes(self, job: Mapping[str, Any]) -> bool:
        return (job["device"] in CARDLESS) is self._writes_files

    def _left_s(self) -> float:
        if self._running is None:
            return 0.0
        now = [job for job in self._running.studio.jobs.list()["jobs"]
               if job["state"] == "running" and job["device"] == self._running.device]
        if now and now[0]["eta_s"] is not None:
            return float(now[0]["eta_s"])
        return max(1.0, self._turns.typical_s - (time.monotonic() - self._running.since_s))


def queued_of(studios: Mapping[str, Studio]) -> Queued:
    """What waits, read once for all lanes."""
    return {name: [job for job in reversed(studio.jobs.list()["jobs"]) if job["state"] == "queued"]
            for name, studio in studios.items()}
