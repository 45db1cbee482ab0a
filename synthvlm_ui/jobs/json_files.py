"""JSON files that readers never see half-written, and text files that are only appended to.

Knows nothing of jobs.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TAIL_BYTES_PER_LINE = 400


def to_text(value: Mapping[str, Any]) -> str:
    """The value as strict JSON: NaN and infinities become null, numpy scalars and arrays plain numbers and lists."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    """Called by json for what it cannot write; numpy is not imported, only asked."""
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value


def write(path: Path, value: Mapping[str, Any], *, durable: bool) -> None:
    """Replaces the file in one step; ``durable`` also waits until a power cut could not undo it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(to_text(value))
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Makes the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> dict[str, Any]:
    """Raises ValueError when the file is not one JSON object."""
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is not a JSON object")
    return value


def append_line(path: Path, line: str) -> None:
    """One write call per line, so that lines of several threads never mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, (line + "\n").encode("utf-8", errors="replace"))
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a text file that may be long; [] when there is none."""
    if lines <= 0:
        return []
    try:
        with open(path, "rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            window = lines * TAIL_BYTES_PER_LINE
            while True:
                start = stream.seek(max(0, end - window))
                found = stream.read(end - start)
                if start == 0 or found.count(b"\n") > lines:
                    break
                window *= 4
    except FileNotFoundError:
        return []
    return found.decode("utf-8", errors="replace").splitlines()[-lines:]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; a last line that is still being written is left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return rows_of(text.split("\n")[:-1])


def rows_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The objects of lines of JSON; what is no object is left out."""
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue  # a line cut by a crash; the next run began a new one
        if isinstance(row, dict):
            rows.append(row)
    return rows
