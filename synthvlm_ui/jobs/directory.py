"""The jobs of a workspace as everybody sees them: create, list, show, stop, resume.

Knows how to tell a dead worker (its lock is gone) but starts none, and knows nothing of what the jobs do.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting, SynthVLMError, UnknownName, WorkerDied
from synthvlm_ui.jobs import json_files, locks
from synthvlm_ui.jobs.job_files import ACTIVE, ENDED, TRUST_AFTER_S, JobFiles, JobStatus, error_from_json, now
from synthvlm_ui.records import JobState, JobSummary

CRASHED = WorkerDied("the worker process ended unexpectedly (killed?)",
                     fix="Resume continues from the last finished chunk.")
DRAFT_PREFIX = ".new-"
DRAFT_LIFETIME_S = 3600.0
_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}")
_DEVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")


def worker_lock_path(jobs_path: Path, device: str) -> Path:
    """The file whose lock the worker of this device holds while it lives.

    Raises: BadSetting for a device name that no file could carry.
    """
    if not _DEVICE.fullmatch(device):
        raise BadSetting(f"{device!r} is not a device name", where="device", fix="Use a name like cpu, cuda or cuda:0.")
    return jobs_path / ".workers" / f"{device.replace(':', '-')}.lock"


def job_id(time_ns: int) -> str:
    """Ids sort by time: seconds in UTC, then the fraction of the second in 65536ths."""
    seconds, rest_ns = divmod(time_ns, 10**9)
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds)) + f"-{rest_ns * 65536 // 10**9:04x}"


class JobDirectory:
    """The folder of all jobs. Cheap to make; reading never writes, and a missing folder has no jobs."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self._files: dict[str, JobFiles] = {}

    def create(self, kind: str, config: Mapping[str, Any], device: str) -> str:
        """Queues a job and returns its id; the job exists only when it is complete.

        Raises: BadSetting for an impossible device name; TypeError when ``config`` is not a mapping.
        """
        worker_lock_path(self.path, device)
        self.path.mkdir(parents=True, exist_ok=True)
        draft = self.path / f"{DRAFT_PREFIX}{secrets.token_hex(8)}"
        draft.mkdir()
        try:
            files = JobFiles(draft)
            files.live.mkdir()
            header = {"kind": kind, "device": device, "created": now(), "config": dict(config)}
            json_files.write(files.config_file, header, durable=True)
            files.write_status(JobStatus("queued", queued_ns=time.time_ns()))
            return self._publish(draft)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _publish(self, draft: Path) -> str:
        while True:
            name = job_id(time.time_ns())
            try:
                os.rename(draft, self.path / name)  # fails on an existing job, since its folder is not empty
            except OSError:
                if not (self.path / name).exists():
                    raise
                time.sleep(0.0001)
                continue
            json_files.sync_directory(self.path)
            return name

    def ids(self) -> builtins.list[str]:
        """Oldest first."""
        try:
            return sorted(name for name in os.listdir(self.path) if _ID.fullmatch(name))
        except FileNotFoundError:
            return []

    def files(self, id: str) -> JobFiles:
        """Raises UnknownName when there is no such job."""
        found = self._files.get(id)
        if found is None and _ID.fullmatch(id):
            found = self._files.setdefault(id, JobFiles(self.path / id))
        if found is None or not found.config_file.exists():
            self._files.pop(id, None)
            raise UnknownName.of("job", id, self.ids()[::-1])
        return found

    def list(self) -> builtins.list[JobSummary]:
        """All jobs, newest first."""
        summaries = []
        for id in reversed(self.ids()):
            try:
                summaries.append(self.show(id))
            except UnknownName:
                continue  # its folder was deleted meanwhile
        return summaries

    def show(self, id: str) -> JobSummary:
        """Raises UnknownName."""
        files = self.files(id)
        status, state = self._current(files)
        header = files.header()
        progress = 1.0 if state == "done" else min(1.0, status.done / status.total) if status.total else 0.0
        return JobSummary(
            id=id, kind=header.kind, state=state, progress=progress,
            eta_s=status.eta_s if state == "running" else None,
            message=str(CRASHED) if state == "crashed" else status.message,
            done=status.done, total=status.total, failed=status.failed, device=header.device, created=header.created,
            result=status.result,
        )

    def _current(self, files: JobFiles) -> tuple[JobStatus, JobState]:
        """The status and the state it amounts to, given STOP requests and dead workers."""
        while True:
            status = files.status()
            if status.state not in ACTIVE:
                return status, status.state
            owner = locks.owner_of(worker_lock_path(self.path, files.header().device))
            if owner is not None and owner.get("token") == status.worker:
                return status, "stopping" if files.stop_requested() else status.state
            if files.status() == status:  # written before the worker went, or it just ended well
                return status, "crashed"

    def config(self, id: str) -> dict[str, Any]:
        """What the job was created with. Raises UnknownName, CorruptData."""
        return self.files(id).config()

    def log_tail(self, id: str, lines: int = 20) -> builtins.list[str]:
        """The last lines of log.txt. Raises UnknownName."""
        return json_files.tail(self.files(id).log_file, lines)

    def metrics(self, id: str) -> builtins.list[dict[str, Any]]:
        """The rows a job has reported so far, oldest first. Raises UnknownName."""
        return json_files.read_lines(self.files(id).metrics_file)

    def last_metrics(self, id: str, rows: int) -> builtins.list[dict[str, Any]]:
        """The last rows only, cheap however long the job has run. Raises UnknownName."""
        return json_files.rows_of(json_files.tail(self.files(id).metrics_file, rows))

    def live_dir(self, id: str) -> Path:
        """Where a running job shows unfinished work. Raises UnknownName."""
        return self.files(id).live

    def error(self, id: str) -> SynthVLMError | None:
        """Why a job failed or crashed, ready to raise; None for any other state. Raises UnknownName."""
        files = self.files(id)
        status, state = self._current(files)
        if state == "crashed":
            return WorkerDied(CRASHED.what, where=f"job {id}", fix=CRASHED.fix)
        return error_from_json(status.error or {}) if state == "failed" else None

    def stop(self, id: str) -> JobSummary:
        """A queued job is stopped at once, a running one at its next safe point; an ended one stays as it is.

        Raises: UnknownName.
        """
        files = self.files(id)
        with files.changing():
            status, state = self._current(files)
            if state == "queued":
                files.write_status(dataclasses.replace(status, state="stopped", ended=now(),
                                                       message="stopped before it started"))
            elif state in ACTIVE:
                files.request_stop()
        return self.show(id)

    def resume(self, id: str) -> JobSummary:
        """Queues a stopped, failed or crashed job again, behind the others; a waiting or running one stays as it is.

        Raises: UnknownName; BadSetting for a job that is done or has not finished stopping.
        """
        files = self.files(id)
        with files.changing():
            status, state = self._current(files)
            if state == "done":
                raise BadSetting(f"job {id} is already done", fix="Start a new job instead.")
            if state == "stopping":
                raise BadSetting(f"job {id} is still stopping", fix="Resume it when it has stopped.")
            if state in ENDED:
                files.write_status(JobStatus("queued", queued_ns=time.time_ns(), done=status.done, total=status.total,
                                             failed=status.failed))
                os.utime(self.path)  # see stamp
        return self.show(id)

    def stamp(self) -> int | None:
        """Differs from an earlier one when a job was queued in between, so that waiting need not read every job.

        None while the last change is too young for the clock of the file system to tell it from the next one.
        """
        try:
            changed_ns = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        return changed_ns if time.time_ns() - changed_ns > TRUST_AFTER_S * 10**9 else None

    def queued(self, device: str) -> builtins.list[str]:
        """The ids that wait for this device, in the order in which they will run."""
        waiting = []
        for id in self.ids():
            files = self._files.setdefault(id, JobFiles(self.path / id))
            status = files.status()
            if status.state == "queued" and files.header().device == device:
                waiting.append((status.queued_ns, id))
        return [id for _, id in sorted(waiting)]

    def queued_devices(self) -> builtins.list[str]:
        """The devices for which jobs wait: what an app that starts should ensure workers for."""
        return sorted({summary.device for summary in self.list() if summary.state == "queued"})

    def settle(self, device: str) -> None:
        """Called by a worker that has just taken the device: writes down crashes and clears abandoned drafts."""
        for id in self.ids():
            files = self._files.setdefault(id, JobFiles(self.path / id))
            if files.header().device == device and files.status().state in ACTIVE:
                with files.changing():
                    status, state = self._current(files)
                    if state == "crashed":
                        files.write_status(dataclasses.replace(status, state="crashed", eta_s=None, ended=now(),
                                                               message=str(CRASHED)))
        for draft in self.path.glob(f"{DRAFT_PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):  # just published by its creator
                if time.time() - draft.stat().st_mtime > DRAFT_LIFETIME_S:
                    shutil.rmtree(draft, ignore_errors=True)
