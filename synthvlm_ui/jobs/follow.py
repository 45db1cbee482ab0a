"""Waiting for a job in the foreground, as the command line does.

Knows nothing of how progress is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from synthvlm_ui.errors import WorkerDied
from synthvlm_ui.jobs import json_files
from synthvlm_ui.jobs.directory import JobDirectory
from synthvlm_ui.jobs.job_files import ENDED
from synthvlm_ui.jobs.launch import worker_log_path, worker_state
from synthvlm_ui.records import JobSummary

START_TRIES = 3
START_PATIENCE_S = 2.0


def follow(jobs: JobDirectory, id: str, on_update: Callable[[JobSummary], None], poll_s: float = 0.2, *,
           ensure: Callable[[], object] | None = None, patience_s: float = START_PATIENCE_S) -> JobSummary:
    """Blocks until the job has ended (done, failed, stopped or crashed) and tells ``on_update`` of every change.

    ``ensure`` starts a worker; it is called when the job waits and its device has none.
    Raises: UnknownName; WorkerDied when the job waits and no worker comes up.
    """
    seen: JobSummary | None = None
    absent_since_s: float | None = None
    tries = 0
    while True:
        summary = jobs.show(id)
        if summary != seen:
            on_update(summary)
            seen = summary
        if summary.state in ENDED:
            return summary
        if summary.state != "queued" or worker_state(jobs.path, summary.device) != "absent":
            absent_since_s = None
        else:
            now_s = time.monotonic()
            absent_since_s = now_s if absent_since_s is None else absent_since_s
            if now_s - absent_since_s >= patience_s or (ensure and tries == 0):
                if tries >= START_TRIES or (ensure is None and tries >= 1):
                    raise _no_worker(jobs, summary)
                tries, absent_since_s = tries + 1, None
                if ensure is not None:
                    ensure()
        time.sleep(poll_s)


def _no_worker(jobs: JobDirectory, summary: JobSummary) -> WorkerDied:
    log_path = worker_log_path(jobs.path, summary.device)
    last = json_files.tail(log_path, 1)
    what = f"job {summary.id} waits, but no worker for {summary.device} comes up"
    return WorkerDied(f"{what}: {last[0]}" if last else what, where=str(log_path),
                      fix="Read that log, mend the cause and resume or repeat the command; the job is still queued.")
