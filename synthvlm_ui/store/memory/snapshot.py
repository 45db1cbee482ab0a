"""Named arrays and a JSON description on disk, believed only when every byte is as it was written.

A snapshot only saves time: whatever is wrong with it, it is as if there were none. Knows nothing of what it holds.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.store.files.atomic import (
    STALE_AFTER_S,
    TEMPORARY_SUFFIX,
    exclusive,
    os_errors,
    sync_directory,
    write_bytes,
)

FORMAT = 1
_MANIFEST = "manifest.json"
Arrays = dict[str, NDArray[Any]]


def save_snapshot(directory: Path, arrays: Arrays, description: Mapping[str, Any]) -> None:
    """Puts a new snapshot in place of the one in ``directory``. Raises: DiskFull, WorkspaceError."""
    name = secrets.token_hex(8)
    staging = directory / f"{name}{TEMPORARY_SUFFIX}"
    try:
        with os_errors(directory):
            staging.mkdir(parents=True)
            listed = [_save_array(staging, number, key, array) for number, (key, array) in enumerate(arrays.items())]
            sync_directory(staging)
        with exclusive(directory / ".lock"):
            os.replace(staging, directory / name)
            manifest = {"format": FORMAT, "folder": name, "arrays": listed, "description": dict(description)}
            write_bytes(directory / _MANIFEST, json.dumps(manifest, default=str).encode("utf-8"))
            _remove_others(directory, name)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def load_snapshot(directory: Path) -> tuple[Arrays, dict[str, Any]] | None:
    """The arrays and description of the snapshot, or None when there is none that can be believed."""
    # Another process may put a newer one in place, and take this one away, between two reads: then look again.
    for _ in range(3):
        with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
            manifest = json.loads((directory / _MANIFEST).read_bytes())
            if manifest["format"] != FORMAT:
                return None
            folder = directory / manifest["folder"]
            arrays = {entry["name"]: _load_array(folder, entry) for entry in manifest["arrays"]}
            return arrays, manifest["description"]
    return None


def _save_array(folder: Path, number: int, name: str, array: NDArray[Any]) -> dict[str, Any]:
    file_name = f"{number:04d}.npy"
    with open(folder / file_name, "xb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return {"name": name, "file": file_name, "crc32": _crc32(array)}


def _load_array(folder: Path, entry: Mapping[str, Any]) -> NDArray[Any]:
    array: NDArray[Any] = np.load(folder / entry["file"], allow_pickle=False)
    if _crc32(array) != entry["crc32"]:
        raise ValueError(f"{entry['file']} fails its checksum")
    return array


def _crc32(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data) if array.size else 0


def _remove_others(directory: Path, name: str) -> None:
    for other in directory.iterdir():
        if other.is_dir() and other.name != name and not _is_being_written(other):
            shutil.rmtree(other, ignore_errors=True)


def _is_being_written(folder: Path) -> bool:
    with suppress(OSError):
        return folder.name.endswith(TEMPORARY_SUFFIX) and time.time() - folder.stat().st_mtime < STALE_AFTER_S
    return False
