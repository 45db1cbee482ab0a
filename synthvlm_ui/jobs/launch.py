"""Starting and ending the worker of a device, from any process, without ever waiting for it.

Two locks decide. The worker's lock is held while a worker lives. The start lock is taken by whoever starts one and
inherited by the new process, which lets it go once it has the worker's lock (or dies): so nobody starts a second one
while the first is still importing. Knows no job.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from synthvlm_ui.errors import WorkerDied
from synthvlm_ui.jobs import locks
from synthvlm_ui.jobs.directory import worker_lock_path

START_VARIABLE = "SYNTHVLM_WORKER_START_LOCK"


def worker_log_path(jobs_path: Path | str, device: str) -> Path:
    """Where everything goes that the worker of this device prints outside its jobs' own logs."""
    return worker_lock_path(Path(jobs_path).absolute(), device).with_suffix(".log")


def worker_state(jobs_path: Path | str, device: str) -> Literal["running", "starting", "absent"]:
    """Whether the device has a worker now."""
    lock_path = worker_lock_path(Path(jobs_path).absolute(), device)
    if locks.owner_of(lock_path) is not None:
        return "running"
    if locks.is_held(_start_lock_path(lock_path)):
        return "starting"
    # It may have got from one to the other between the two questions.
    return "running" if locks.owner_of(lock_path) is not None else "absent"


def ensure_worker(jobs_path: Path | str, device: str, command: Sequence[str],
                  env: Mapping[str, str] | None = None) -> bool:
    """Starts a detached worker for the device unless it has one; True when this call started it.

    ``env`` is added to this process's environment. Call it after queueing a job. Takes milliseconds.
    Raises: WorkerDied when the command cannot be run at all.
    """
    lock_path = worker_lock_path(Path(jobs_path).absolute(), device)
    if locks.owner_of(lock_path) is not None:
        return False
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    start = locks.take(_start_lock_path(lock_path))
    if start is None:
        return False  # being started; it reads the queue when it is up
    try:
        if locks.owner_of(lock_path) is not None:
            return False
        _start(command, {**os.environ, **(env or {}), START_VARIABLE: str(start.descriptor)},
               start.descriptor, worker_log_path(jobs_path, device))
        return True
    finally:
        start.release()  # the new process has its own hold on it


def _start(command: Sequence[str], env: Mapping[str, str], descriptor: int, log_path: Path) -> None:
    with open(log_path, "ab") as log:
        try:
            process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env,
                pass_fds=(descriptor,), start_new_session=True,
            )
        except OSError as error:
            raise WorkerDied(f"the worker could not be started: {error.strerror}", where=command[0],
                             fix="Check that this Python installation is complete.") from error
    # Takes note of its end, so that it does not stay behind as a zombie while this process lives.
    threading.Thread(target=process.wait, name=f"end of worker {process.pid}", daemon=True).start()


def release_start_lock() -> None:
    """Called by a worker that has, or has lost, the device: others may start one from now on."""
    descriptor = os.environ.pop(START_VARIABLE, "")
    if descriptor:
        os.close(int(descriptor))


def end_worker(jobs_path: Path | str, device: str) -> bool:
    """Asks the worker to stop its job at the next safe point and leave; False when there is none. Does not wait."""
    owner = locks.owner_of(worker_lock_path(Path(jobs_path).absolute(), device))
    if not owner or not locks.process_lives(owner):
        return False
    try:
        os.kill(int(owner["pid"]), signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def _start_lock_path(lock_path: Path) -> Path:
    return lock_path.with_suffix(".starting")
