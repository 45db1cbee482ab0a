"""What is new in the folders of a workspace, seen from modification times: cheap enough to ask twice a second.

Knows names and stamps, and opens no file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from synthvlm_ui.store.files.paths import file_stamp

# Some file systems keep times in steps of up to 2 s: a folder changed just now may change again without showing it.
SETTLED_AFTER_NS = 2_000_000_000


def folder_time(folder: Path) -> tuple[int, bool] | None:
    """The modification time of a folder in ns and whether it is settled; None when the folder is not there."""
    try:
        changed_ns = os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return None
    return changed_ns, is_settled(changed_ns)


def is_settled(changed_ns: int) -> bool:
    """Whether a change now would get another modification time."""
    return time.time_ns() - changed_ns > SETTLED_AFTER_NS


class FolderWatch:
    """Remembers the folders' times in ``seen`` and says which have to be looked into."""

    def __init__(self, seen: dict[str, int]) -> None:
        self._seen = seen

    def needs_look(self, key: str, folder: Path) -> bool:
        """True when the folder may have changed since the last look; remembers this look."""
        found = folder_time(folder)
        if found is None:
            return self._seen.pop(key, None) is not None
        changed_ns, settled = found
        if self._seen.get(key) == changed_ns:
            return False
        if settled:
            self._seen[key] = changed_ns
        else:
            self._seen[key] = -1
        return True


def stamps_of(folder: Path, suffix: str) -> dict[str, int]:
    """The stamp of every file with this suffix, by its name without it; none when the folder is not there."""
    stamps: dict[str, int] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(suffix):
                    try:
                        stamps[entry.name[: -len(suffix)]] = file_stamp(entry.stat())
                    except FileNotFoundError:
                        continue
    except FileNotFoundError:
        pass
    return stamps


def folder_times(folder: Path) -> dict[str, int]:
    """The modification time in ns of every folder inside, by name; none when the folder is not there."""
    times: dict[str, int] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir():
                        times[entry.name] = entry.stat().st_mtime_ns
                except FileNotFoundError:
                    continue
    except FileNotFoundError:
        pass
    return times
