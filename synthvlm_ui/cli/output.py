"""What the command line prints: results on stdout, everything else on stderr.

Knows streams and formats; knows no command.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from synthvlm_ui.errors import SynthVLMError

SCHEMA_VERSION = 1


class Output:
    """The two streams of one run. With ``as_json`` stdout gets exactly one line: one object."""

    def __init__(self, *, as_json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    def result(self, payload: Mapping[str, Any], lines: Iterable[str]) -> None:
        """The outcome of a command: the object for programs, or the lines for people."""
        if self.as_json:
            self._object(payload)
        else:
            for line in lines:
                print(line, file=self._stdout)
        self._stdout.flush()

    def note(self, message: str) -> None:
        """Something a person should know meanwhile."""
        print(message, file=self._stderr, flush=True)

    def error(self, error: SynthVLMError) -> None:
        """One line that says what, where and what to do."""
        self.note("error: " + " ".join(str(error).split()))
        if self.as_json:
            facts = {"kind": type(error).__name__, "what": error.what, "where": error.where, "fix": error.fix}
            self._object({"error": facts})

    def progress(self) -> ProgressLine:
        return ProgressLine(self._stderr)

    def _object(self, payload: Mapping[str, Any]) -> None:
        whole = {"schema_version": SCHEMA_VERSION, **_finite(payload)}
        print(json.dumps(whole, allow_nan=False), file=self._stdout, flush=True)


class ProgressLine:
    """The state of a job on stderr: one line that is redrawn on a terminal, a line now and then in a log."""

    LOG_INTERVAL_S = 10.0
    BAR_CHARACTERS = 24

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._last_text = ""
        self._last_time = -math.inf

    def update(self, job: Mapping[str, Any]) -> None:
        """Shows one summary of a job (the fields of JobSummary)."""
        text = self.text_of(job)
        if text == self._last_text:
            return
        now = time.monotonic()
        if self._terminal:
            # A line that wraps could not be drawn over.
            self._stream.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
            self._stream.flush()
        elif now - self._last_time < self.LOG_INTERVAL_S:
            return
        else:
            print(text, file=self._stream, flush=True)
        self._last_text, self._last_time = text, now

    def close(self) -> None:
        """Leaves the terminal's cursor on a fresh line."""
        if self._terminal and self._last_text:
            self._stream.write("\n")
            self._stream.flush()
            self._last_text = ""

    @classmethod
    def text_of(cls, job: Mapping[str, Any]) -> str:
        """``[######------] 120/480 25%  eta 0:42  2 failed  message``, as far as it is known."""
        done, total = int(job.get("done") or 0), int(job.get("total") or 0)
        share = min(1.0, max(0.0, float(job.get("progress") or 0.0)))
        filled = round(share * cls.BAR_CHARACTERS)
        parts = [f"[{'#' * filled}{'-' * (cls.BAR_CHARACTERS - filled)}] {done}/{total} {share:4.0%}"]
        if job.get("state") not in (None, "running"):
            parts.append(str(job["state"]))
        if job.get("eta_s") is not None:
            parts.append(f"eta {duration(float(job['eta_s']))}")
        if job.get("failed"):
            parts.append(f"{job['failed']} failed")
        if job.get("message"):
            parts.append(" ".join(str(job["message"]).split()))
        return "  ".join(parts)


def duration(seconds: float) -> str:
    """``0:42`` or ``3:07:42``."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _finite(value: Any) -> Any:
    """The same with NaN and infinities as null: JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
