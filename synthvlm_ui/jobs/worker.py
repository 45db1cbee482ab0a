"""The process that runs the queued jobs of one device, one at a time, and leaves when there is nothing to do.

Knows nothing of what the jobs do: handlers are given by kind, and keep their warm models themselves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.config import WORKER_IDLE_S
from synthvlm_ui.errors import DeviceLost, DiskFull, Failure, SynthVLMError, UnknownName
from synthvlm_ui.jobs import json_files, locks
from synthvlm_ui.jobs.context import DISK_POLL_S, JobContext, JobStopped, StatusWriter, free_bytes_at
from synthvlm_ui.jobs.directory import JobDirectory, worker_lock_path
from synthvlm_ui.jobs.job_files import JobFiles, JobStatus, error_to_json, now
from synthvlm_ui.jobs.launch import release_start_lock

Handler = Callable[[JobContext], Mapping[str, Any]]
QUEUE_POLL_S = 0.1
FULL_LOOK_S = 5.0  # in case somebody sets the clock


class Worker:
    """Runs the jobs of one device in the order in which they were queued.

    A handler returns the job's result. It asks ``progress.should_stop()`` at its safe points and, when that is true,
    returns what it has (or raises JobStopped): the job is then recorded as stopped, otherwise as done.
    ``device_lost`` says afterwards that it left because only a new process gets the device back.
    """

    def __init__(self, jobs_path: Path | str, device: str, handlers: Mapping[str, Handler],
                 idle_s: float = WORKER_IDLE_S, *, most_jobs: int | None = None,
                 free_bytes: Callable[[Path], int] = free_bytes_at, disk_poll_s: float = DISK_POLL_S) -> None:
        self.jobs = JobDirectory(jobs_path)
        self.device, self.handlers, self.idle_s = device, handlers, idle_s
        self._free_bytes, self._disk_poll_s = free_bytes, disk_poll_s
        self._lock_path = worker_lock_path(self.jobs.path, device)
        self._token = uuid.uuid4().hex
        self._ending = False
        self.device_lost = False
        self._jobs_left = most_jobs

    def run(self) -> None:
        """Works until it was idle for ``idle_s`` or got SIGTERM; returns at once when the device has a worker already.

        A job may be queued just while the worker leaves: its creator saw the lock taken and started nobody. Therefore
        the queue is read once more *after* the lock was released. Whoever queued before that is seen here; whoever
        queues after it finds the lock free and starts the next worker.
        """
        self._listen()
        while True:
            lock = self._take_device()
            release_start_lock()
            if lock is None:
                return
            try:
                self.jobs.settle(self.device)
                self._work(lock)
            finally:
                lock.release()
            if self._ending or not self.jobs.queued(self.device):
                return

    def _listen(self) -> None:
        """SIGTERM ends the worker at a safe point; a Ctrl-C in the terminal it was started from is not meant for it."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._end)
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _end(self, signal_number: int, frame: object) -> None:
        self._ending = True

    def _take_device(self) -> locks.FileLock | None:
        if not self.jobs.path.is_dir():
            return None  # the workspace was deleted before this process was up: do not bring it back
        self._lock_path.parent.mkdir(exist_ok=True)
        lock = locks.take(self._lock_path)
        if lock is not None:
            lock.write_owner({"token": self._token, **_this_process()})
        return lock

    def _work(self, lock: locks.FileLock) -> None:
        idle_since_s = looked_s = time.monotonic()
        seen: int | None = None
        while not self._ending and lock.still_there():
            stamp = self.jobs.stamp()
            waiting: list[str] = []
            if stamp is None or stamp != seen or time.monotonic() - looked_s > FULL_LOOK_S:
                seen, looked_s = stamp, time.monotonic()
                waiting = self.jobs.queued(self.device)
            if waiting:
                seen = None
                with contextlib.suppress(UnknownName, FileNotFoundError):  # somebody deleted the job's folder
                    self._run_job(self.jobs.files(waiting[0]))
                    self._count_job()
                idle_since_s = time.monotonic()
            elif time.monotonic() - idle_since_s >= self.idle_s:
                return
            else:
                # Not Event.wait: a signal handler that sets an event can deadlock with the wait it interrupts.
                time.sleep(min(QUEUE_POLL_S, self.idle_s))

    def _count_job(self) -> None:
        """Where jobs take turns with those of other workspaces, a worker leaves after its own."""
        if self._jobs_left is not None:
            self._jobs_left -= 1
            self._ending = self._ending or self._jobs_left <= 0

    def _run_job(self, files: JobFiles) -> None:
        started = self._claim(files)
        if started is None:
            return
        writer = StatusWriter(files, started)
        try:
            ending = self._handle(files, writer)
        finally:
            last = writer.close()
        files.log(f"{ending['state']}: {ending['message']}")
        with files.changing():
            files.write_status(dataclasses.replace(last, eta_s=None, ended=now(), **ending))

    def _claim(self, files: JobFiles) -> JobStatus | None:
        """None when the job was stopped since it was seen in the queue."""
        with files.changing():
            status = files.status()
            if status.state != "queued":
                return None
            files.clear_stop()  # of an earlier run: while a job waits, stop changes its state at once
            json_files.write(files.pid_file, {"worker": self._token, **_this_process()}, durable=False)
            status = dataclasses.replace(status, state="running", worker=self._token, started=now(), ended="")
            files.write_status(status)
        files.log(f"started by process {os.getpid()} on {self.device}")
        return status

    def _handle(self, files: JobFiles, writer: StatusWriter) -> dict[str, Any]:
        """Runs the handler and gives the fields of the final status."""
        try:
            context = JobContext(files, writer, lambda: self._ending or files.stop_requested(),
                                 self._free_bytes, self._disk_poll_s)
            if context.kind not in self.handlers:
                raise UnknownName.of("kind of job", context.kind, sorted(self.handlers))
            result = dict(self.handlers[context.kind](context) or {})
        except JobStopped:
            return {"state": "stopped", "message": "stopped while paused"}
        except SynthVLMError as error:
            self.device_lost = self.device_lost or isinstance(error, DeviceLost)
            self._ending = self._ending or self.device_lost  # only a new process gets the device back
            return self._failure(files, error)
        except (Exception, SystemExit) as error:
            return self._failure(files, _as_failure(error, files))
        if context.progress.stop_seen:
            return {"state": "stopped", "message": "stopped; resume continues from here", "result": result}
        return {"state": "done", "message": writer.status.message, "result": result}

    def _failure(self, files: JobFiles, error: SynthVLMError) -> dict[str, Any]:
        files.log(traceback.format_exc().rstrip())
        return {"state": "failed", "message": str(error), "error": error_to_json(error)}


def _as_failure(error: BaseException, files: JobFiles) -> SynthVLMError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return DiskFull("no space left on the disk", where=str(error.filename or files.directory),
                        fix="Free some space and resume the job.")
    last_line = traceback.format_exception_only(error)[-1].strip()
    return Failure(last_line, where=f"job {files.id}", fix=f"Read the whole traceback in {files.log_file}.")


def _this_process() -> dict[str, Any]:
    import psutil

    return {"pid": os.getpid(), "pgid": os.getpgrp(), "create_time": psutil.Process().create_time()}
