"""One job's directory: which file holds what, and who may write it when.

config.json never changes. status.json belongs to the worker while the job runs and is changed by anybody else only
under the job's own lock, so that two people who stop, resume and start at once get one outcome. STOP is a request to
the worker. Knows no queue and no process.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synthvlm_ui import errors
from synthvlm_ui.errors import CorruptData, Failure, SynthVLMError, UserError
from synthvlm_ui.jobs import json_files, locks
from synthvlm_ui.records import JobState

ENDED: tuple[JobState, ...] = ("done", "failed", "stopped", "crashed")
ACTIVE: tuple[JobState, ...] = ("running", "paused")
# A file replaced twice within one tick of the file system's clock could look unchanged; younger files are not trusted.
TRUST_AFTER_S = 0.1


@dataclass(frozen=True, slots=True)
class JobHeader:
    """What never changes about a job, without its configuration."""

    kind: str
    device: str
    created: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """status.json. ``worker`` is the token of the worker that runs it; ``error`` an error of errors.py as a mapping."""

    state: JobState
    queued_ns: int = 0
    done: int = 0
    total: int = 0
    failed: int = 0
    eta_s: float | None = None
    message: str = ""
    worker: str = ""
    started: str = ""
    ended: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> JobStatus:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})


def now() -> str:
    """The time in UTC as people and programs read it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def error_to_json(error: SynthVLMError) -> dict[str, Any]:
    return {"class": type(error).__name__, "what": error.what, "where": error.where, "fix": error.fix,
            "exit_code": error.exit_code}


def error_from_json(row: Mapping[str, Any]) -> SynthVLMError:
    """The same error again; a class this version does not know becomes the nearest one with the same exit code."""
    found = getattr(errors, str(row.get("class")), None)
    if not (isinstance(found, type) and issubclass(found, SynthVLMError)):
        found = UserError if row.get("exit_code") == 2 else Failure
    return found(str(row.get("what", "the job failed")), where=str(row.get("where", "")), fix=str(row.get("fix", "")))


class JobFiles:
    """Reads and writes the files of one job directory."""

    def __init__(self, directory: Path) -> None:
        self.id = directory.name
        self.directory = directory
        self.config_file = directory / "config.json"
        self.status_file = directory / "status.json"
        self.pid_file = directory / "pid.json"
        self.log_file = directory / "log.txt"
        self.metrics_file = directory / "metrics.jsonl"
        self.live = directory / "live"
        self._stop_file = directory / "STOP"
        self._lock_file = directory / ".lock"
        self._header: JobHeader | None = None
        self._seen: tuple[tuple[int, int, int], JobStatus] | None = None

    def header(self) -> JobHeader:
        if self._header is None:
            try:
                row = json_files.read(self.config_file)
            except (OSError, ValueError):
                return JobHeader("unreadable", "", "")
            self._header = JobHeader(str(row.get("kind")), str(row.get("device")), str(row.get("created")))
        return self._header

    def config(self) -> dict[str, Any]:
        """Raises CorruptData when config.json does not read back."""
        try:
            return dict(json_files.read(self.config_file)["config"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptData("a job's config does not read back", where=str(self.config_file),
                              fix="Start the job again with its settings.") from error

    def status(self) -> JobStatus:
        """The status as written; an unreadable file counts as a failed job, which can be resumed."""
        try:
            stat = self.status_file.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            seen = self._seen
            if seen and seen[0] == stamp:
                return seen[1]
            status = JobStatus.from_json(json_files.read(self.status_file))
        except (OSError, ValueError, TypeError):
            error = CorruptData("a job's status does not read back", where=str(self.status_file),
                                fix="Resume the job; what it finished is kept.")
            return JobStatus("failed", message=str(error), error=error_to_json(error))
        old_enough = time.time() - stat.st_mtime > TRUST_AFTER_S
        self._seen = (stamp, status) if old_enough else None
        return status

    def write_status(self, status: JobStatus, *, durable: bool = True) -> None:
        json_files.write(self.status_file, asdict(status), durable=durable)

    def changing(self) -> contextlib.AbstractContextManager[None]:
        """Held around every read-decide-write of the state."""
        return locks.held_briefly(self._lock_file)

    def stop_requested(self) -> bool:
        return self._stop_file.exists()

    def request_stop(self) -> None:
        self._stop_file.touch()

    def clear_stop(self) -> None:
        self._stop_file.unlink(missing_ok=True)

    def log(self, text: str) -> None:
        """Adds a line with the time; a full disk costs the line, not the job."""
        with contextlib.suppress(OSError):
            json_files.append_line(self.log_file, f"{now()} {text}")
