"""Queueing, watching, stopping and resuming jobs, for both the browser and the command line.

Does not know what a job does. The job directory is the truth, so any process may look.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.errors import Failure
from synthvlm_ui.jobs import JobDirectory, ensure_worker, follow, worker_state
from synthvlm_ui.records import JobSummary
from synthvlm_ui.service.machine import hosting
from synthvlm_ui.service.work.live import read_live, read_live_image
from synthvlm_ui.store import Workspace

_LOG_LINES = 200
CARDLESS = frozenset({"disk", "hub"})  # queues whose jobs want no card
# OpenMP's idle threads spin by default. Beside other work on the same cores that made a batch cost 14 CPU seconds
# instead of 3 (two threads, two busy cores), and when the cores are free it gains nothing that was measured.
_IDLE_THREADS_SLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


class JobDesk:
    """``studio.jobs``."""

    def __init__(self, workspace: Workspace, wake: Callable[[str], None] | None = None) -> None:
        """``wake`` sees to it that the jobs of a device are run some time; by default a worker is started at once."""
        self._workspace, self._told = workspace, wake or self.start_worker
        self._directory = JobDirectory(workspace.paths.jobs)

    def submit(self, kind: str, config: dict[str, Any], device: str) -> str:
        """Queues a job and sees to it that a worker for its device is there. Returns the job id."""
        self._workspace.paths.check_writable()
        job_id = self._directory.create(kind, config, device)
        self._wake(device)
        return job_id

    def list(self) -> dict[str, Any]:
        return {"jobs": [summary.to_json() for summary in self._directory.list()]}

    def running(self) -> int:
        return sum(summary.state in ("queued", "running", "paused", "stopping") for summary in self._directory.list())

    def show(self, job_id: str) -> dict[str, Any]:
        error = self._directory.error(job_id)
        return {**self._directory.show(job_id).to_json(), "config": self._directory.config(job_id),
                "log": self._directory.log_tail(job_id, _LOG_LINES), "error": str(error) if error else None}

    def metrics(self, job_id: str) -> builtins.list[dict[str, Any]]:
        """The rows that a job has reported so far. Raises: UnknownName."""
        return self._directory.metrics(job_id)

    def last_metrics(self, job_id: str, rows: int) -> builtins.list[dict[str, Any]]:
        """The last rows of them. Raises: UnknownName."""
        return self._directory.last_metrics(job_id, rows)

    def config(self, job_id: str) -> dict[str, Any]:
        """What the job was asked to do. Raises: UnknownName."""
        return self._directory.config(job_id)

    def stop(self, job_id: str) -> dict[str, Any]:
        self._directory.stop(job_id)
        return {"jobs": [self._directory.show(job_id).to_json()]}

    def stop_all(self, device: str, reason: str) -> None:
        """Stops what runs on a device, and writes into its log why."""
        for summary in self._directory.list():
            if summary.state == "running" and summary.device == device:
                self._directory.files(summary.id).log(f"stopped: {reason}")
                self._directory.stop(summary.id)

    def resume(self, job_id: str) -> dict[str, Any]:
        self._directory.resume(job_id)
        self._wake(self._directory.show(job_id).device)
        return {"jobs": [self._directory.show(job_id).to_json()]}

    def follow(self, job_id: str, on_update: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """Waits for the job's end. Raises: the job's own error when it failed."""
        device = self._directory.show(job_id).device
        summary = follow(self._directory, job_id, lambda now: on_update(now.to_json()),
                         ensure=lambda: self._wake(device))
        self._raise_if_failed(summary)
        return summary.to_json()

    def live(self, job_id: str, after: int = 0) -> dict[str, Any]:
        """How far the job is and the images finished since sequence number ``after``."""
        summary = self._directory.show(job_id)
        rows = read_live(self._directory.live_dir(job_id), after)
        row = summary.to_json()
        keys = ("state", "progress", "eta_s", "done", "total", "failed", "message")
        return {**{key: row[key] for key in keys}, "next": rows[-1]["seq"] if rows else after, "images": rows}

    def live_image(self, job_id: str, candidate_id: str) -> tuple[bytes, str]:
        """The file of an image whose chunk is still being made, or from its shard. Raises: UnknownName."""
        found = read_live_image(self._directory.live_dir(job_id), candidate_id)
        if found is not None:
            return found
        self._workspace.columns.refresh()
        columns = self._workspace.columns
        return columns.image(int(columns.ordinals_of([candidate_id])[0]))

    def _raise_if_failed(self, summary: JobSummary) -> None:
        if summary.state in ("failed", "crashed"):
            raise self._directory.error(summary.id) or Failure(summary.message or "the job failed", where=summary.id)

    def _wake(self, device: str) -> None:
        self._told(device)

    def start_worker(self, device: str, most_jobs: int | None = None) -> None:
        """Starts the worker of a device unless it has one; with ``most_jobs`` it leaves after so many, or when there is
        nothing to do."""
        if hosting.on_zero_gpu() and device not in CARDLESS:
            if worker_state(self._workspace.paths.jobs, device) == "absent":
                from synthvlm_ui.service.worker import serve_here

                serve_here(self._workspace.root.resolve(), device, most_jobs)
            return
        options = [] if most_jobs is None else ["--jobs", str(most_jobs), "--idle-s", "1"]
        command = [sys.executable, "-m", "synthvlm_ui.service.worker",
                   "--workspace", str(self._workspace.root.resolve()), "--device", device, *options]
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        ensure_worker(self._workspace.paths.jobs, device, command, env={"PYTHONPATH": path, **_IDLE_THREADS_SLEEP})
