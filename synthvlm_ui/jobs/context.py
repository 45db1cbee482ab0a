"""What a handler gets to work with: its config, where to report, where to show unfinished work, when to stop.

Knows nothing of the queue, and of the work only its numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.config import MIN_FREE_BYTES
from synthvlm_ui.jobs import json_files
from synthvlm_ui.jobs.job_files import JobFiles, JobStatus, now
from synthvlm_ui.jobs.progress import RateEstimate

WRITE_INTERVAL_S = 0.2
DISK_POLL_S = 1.0


class JobStopped(Exception):
    """Raised where work waits and was asked to stop; the worker records the job as stopped."""


def free_bytes_at(path: Path) -> int:
    """Free bytes on the disk that holds the path, which need not exist yet."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


class StatusWriter:
    """Owns status.json while the job runs: progress soon but at most five times a second, changes of state at once.

    A thread writes the progress, so that the last report is seen even when the next one takes a minute, and reporting
    costs the work nothing.
    """

    def __init__(self, files: JobFiles, status: JobStatus, interval_s: float = WRITE_INTERVAL_S) -> None:
        self._files, self._status, self._interval_s = files, status, interval_s
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write_changes, name=f"status of {files.id}", daemon=True)
        self._thread.start()

    def progress(self, **fields: Any) -> None:
        with self._lock:
            self._status = dataclasses.replace(self._status, **fields)
        self._changed.set()

    def change(self, **fields: Any) -> None:
        """Raises OSError when the disk does not take it; the numbers are kept for the next write."""
        with self._lock:
            self._status = dataclasses.replace(self._status, **fields)
            self._files.write_status(self._status)

    @property
    def status(self) -> JobStatus:
        return self._status

    def close(self) -> JobStatus:
        """Ends the thread and gives the last status, which the caller writes with the final state."""
        self._closed.set()
        self._changed.set()
        self._thread.join()
        return self._status

    def _write_changes(self) -> None:
        while True:
            self._changed.wait()
            if self._closed.is_set():
                return
            self._changed.clear()
            # A full disk must not end the work: the next report tries again.
            with self._lock, contextlib.suppress(OSError):
                self._files.write_status(self._status, durable=False)
            self._closed.wait(self._interval_s)


class JobProgress:
    """protocols.Progress of a job. The first ``update`` of a run says what earlier runs have done already."""

    def __init__(self, writer: StatusWriter, stop_requested: Callable[[], bool]) -> None:
        self._writer, self._stop_requested = writer, stop_requested
        self._rate = RateEstimate()
        self._lock = threading.Lock()
        self.stop_seen = False

    def update(self, done: int, total: int, *, failed: int = 0, message: str = "") -> None:
        with self._lock:
            eta_s = self._rate.eta_s(done, total)
            self._writer.progress(done=done, total=total, failed=failed, message=message, eta_s=eta_s)

    def should_stop(self) -> bool:
        """True from the first time a stop was seen; what the work then returns is recorded as stopped."""
        self.stop_seen = self.stop_seen or self._stop_requested()
        return self.stop_seen

    def restart_rate(self) -> None:
        with self._lock:
            self._rate.restart()


class JobContext:
    """One run of one job, as its handler sees it."""

    def __init__(self, files: JobFiles, writer: StatusWriter, stop_requested: Callable[[], bool],
                 free_bytes: Callable[[Path], int] = free_bytes_at, disk_poll_s: float = DISK_POLL_S) -> None:
        self.id, self.dir, self.live_dir = files.id, files.directory, files.live
        self.kind = files.header().kind
        self.device = files.header().device
        self.config: dict[str, Any] = files.config()
        self.progress = JobProgress(writer, stop_requested)
        self._files, self._writer = files, writer
        self._free_bytes, self._disk_poll_s = free_bytes, disk_poll_s

    def log(self, text: str) -> None:
        """Adds a line with the time to log.txt."""
        self._files.log(text)

    def metrics(self, row: Mapping[str, Any]) -> None:
        """Adds a row to metrics.jsonl, with the ``time`` in UTC; NaN and infinities become null."""
        json_files.append_line(self._files.metrics_file, json_files.to_text({"time": now(), **row}))

    def check_disk(self, path: Path, needed_bytes: int = 0) -> None:
        """Returns when ``needed_bytes`` and the reserve are free where ``path`` lives; until then the job is paused.

        Raises: JobStopped when the job is stopped while it waits.
        """
        needed = MIN_FREE_BYTES + needed_bytes
        free = self._free_bytes(path)
        if free >= needed:
            return
        before = self._writer.status.message
        message = (f"paused: {free // 2**20} MiB free at {path}, {needed // 2**20} MiB needed. "
                   "Free some space; the job goes on by itself.")
        self.log(message)
        with contextlib.suppress(OSError):
            self._writer.change(state="paused", message=message, eta_s=None)
        while free < needed:
            if self.progress.should_stop():
                raise JobStopped
            time.sleep(self._disk_poll_s)
            free = self._free_bytes(path)
        self.progress.restart_rate()
        self.log("there is room again")
        self._writer.change(state="running", message=before)
