"""A log in which writers say what they have just put in place, so that a reader need not look through every folder.

Only a hint: a writer may die before saying anything, and files may be moved by hand. The folders are the truth, and are
looked through less often. Knows nothing of what is written.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from synthvlm_ui.store.files.names import is_name

Word = tuple[str, str, str]


def tell(log: Path, kind: str, dataset: str, shard: str) -> None:
    """Adds one line, whole even beside other writers; a failure to do so is nobody's problem."""
    with suppress(OSError):
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, f"{kind}/{dataset}/{shard}\n".encode("ascii"))
        finally:
            os.close(descriptor)


class NewsReader:
    """Reads what was added to the log since the last time, from its present end on."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = self._size()

    def news(self) -> list[Word]:
        """The distinct (kind, dataset, shard) said since the last call, in order."""
        size = self._size()
        if size <= self._at:
            self._at = size
            return []
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(self._at)
            said = file.read(size - self._at)
            whole = said[: said.rfind(b"\n") + 1]
            self._at += len(whole)
            lines = dict.fromkeys(whole.decode("ascii", "replace").split("\n"))
            return [(parts[0], parts[1], parts[2]) for line in lines
                    if len(parts := line.split("/")) == 3 and all(map(is_name, parts))]
        return []

    def _size(self) -> int:
        with suppress(OSError):
            return self._log.stat().st_size
        return 0
