"""Tables of near duplicates by hash for many candidates: kept on disk, and looked for beside the server.

Finding all pairs of a million takes half a minute of both cores. So a process of its own does it at low priority, once
for each state of the hashes; after new images only those are compared. Knows no page.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.errors import SynthVLMError
from synthvlm_ui.selection import HashTable, hash_table, known_table, remember_table
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.memory.snapshot import load_snapshot, save_snapshot

FEW_ROWS = 100_000  # found within half a second, while whoever asks waits
KEPT = 4
FOLDER = "near_duplicates"
_Hashes = NDArray[np.uint64]
log = logging.getLogger(__name__)


class NearTables:
    """Shapes: ``hashes`` (N,), a column that stays the same array as long as nothing but verdicts changes."""

    def __init__(self, workspace: Workspace) -> None:
        self._paths = workspace.paths
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._running, self._share = False, 0.0
        self._closed = False

    def settle(self, hashes: _Hashes, bits: int) -> None:
        """Sees to it that the table is in memory: from disk, or found now, for a caller that waits."""
        if len(hashes) <= FEW_ROWS or self._load(hashes, bits):
            return
        table = hash_table(hashes, bits)
        if not self._paths.read_only:
            with suppress(SynthVLMError):  # it would only have spared work
                save_table(self._place(hashes, bits), table)

    def waiting(self, hashes: _Hashes, bits: int) -> float | None:
        """None when the table is at hand; else the share of the search that is done, which it starts if need be."""
        if len(hashes) <= FEW_ROWS or known_table(hashes, bits) is not None:
            return None
        with self._lock:
            if self._running:
                return self._share
            if self._load(hashes, bits):
                return None
            self._running, self._share = True, 0.0
        threading.Thread(target=self._find, args=(hashes, bits), name="near-duplicates", daemon=True).start()
        return 0.0

    def close(self) -> None:
        """Ends a search under way."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()

    def _find(self, hashes: _Hashes, bits: int) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="near-duplicates-") as temporary:
                given = Path(temporary) / "hashes.npy"
                np.save(given, hashes)
                place = Path(temporary) / "table" if self._paths.read_only else self._place(hashes, bits)
                self._work([str(given), str(bits), str(place), *self._like(bits)])
                table = load_table(place)
                if table is not None:
                    _remember(hashes, bits, table)
            if not self._paths.read_only:
                self._forget_old()
        except (OSError, ValueError, SynthVLMError):
            log.exception("near duplicates were not found")
        finally:
            with self._lock:
                self._running = False

    def _work(self, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "synthvlm_ui.service.curation.near_worker", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
            self._process = process
            if self._closed:
                process.kill()
            assert process.stdout is not None
            for line in process.stdout:
                self._share = float(line)
        self._process = None

    def _like(self, bits: int) -> list[str]:
        """The newest table with this radius, from which a little different one is made soon."""
        found = [folder for folder in self._folders() if folder.name.endswith(f"-{bits}")]
        return [str(found[0])] if found else []

    def _load(self, hashes: _Hashes, bits: int) -> bool:
        if known_table(hashes, bits) is not None:
            return True
        table = load_table(self._place(hashes, bits))
        if table is not None:
            _remember(hashes, bits, table)
        return table is not None

    def _place(self, hashes: _Hashes, bits: int) -> Path:
        content = hashlib.blake2b(np.ascontiguousarray(hashes).view(np.uint8).data, digest_size=12).hexdigest()
        return self._paths.temp / FOLDER / f"{content}-{bits}"

    def _folders(self) -> list[Path]:
        """The tables on disk, the newest first."""
        with suppress(OSError):
            folders = [folder for folder in (self._paths.temp / FOLDER).iterdir() if folder.is_dir()]
            return sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
        return []

    def _forget_old(self) -> None:
        for folder in self._folders()[KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)


def _remember(hashes: _Hashes, bits: int, table: HashTable) -> None:
    # The hashes themselves are only wanted for the next table, which another process makes from the files.
    remember_table(hashes, bits, replace(table, distinct=np.zeros(0, np.uint64)))


def save_table(place: Path, table: HashTable) -> None:
    """Raises: DiskFull, WorkspaceError."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(table, name) for name in HashTable.__dataclass_fields__}
    arrays |= {name: arrays[name].astype(np.int32) for name in ("left", "right")}
    save_snapshot(place, arrays, {})


def load_table(place: Path) -> HashTable | None:
    """The table that was saved here, None when there is none that can be believed."""
    loaded = load_snapshot(place)
    if loaded is None or set(loaded[0]) != set(HashTable.__dataclass_fields__):
        return None
    arrays = loaded[0]
    return HashTable(**{**arrays, **{name: arrays[name].astype(np.int64) for name in ("left", "right")}})
