"""Files that are either wholly there or not there at all, and what the operating system's refusals mean to a user.

Knows nothing of what is in a file.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from synthvlm_ui.errors import DiskFull, WorkspaceError

TEMPORARY_SUFFIX = ".tmp"
STALE_AFTER_S = 300.0


@contextmanager
def os_errors(where: Path) -> Iterator[None]:
    """Turns a full disk and a refused write into the errors a user can act on; lets every other OSError through."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no room left on the disk", where=str(where),
                           fix="Free some space and run it again.") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise WorkspaceError("the workspace cannot be written", where=str(where),
                                 fix="Check the permissions of the directory, or open it read-only.") from error
        raise


@contextmanager
def replacing(path: Path, staging: Path | None = None) -> Iterator[BinaryIO]:
    """Opens a temporary file which becomes ``path``, durably, when the block ends well, and vanishes when it does not.

    ``staging`` is the directory of the temporary file (default: that of ``path``); it must be on the same file system.
    Raises: DiskFull, WorkspaceError.
    """
    directory = staging or path.parent
    temporary = directory / f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    with os_errors(path):
        make_directory(path.parent)
        make_directory(directory)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_directory(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file by ``content`` atomically and durably. Raises: DiskFull, WorkspaceError."""
    with replacing(path) as file:
        file.write(content)


def make_directory(directory: Path) -> None:
    """Makes a directory and those above it, so that they survive a power cut."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Makes a rename inside ``directory`` survive a power cut, where the platform can."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Lets one process at a time into the block; the lock dies with its process. Raises: DiskFull, WorkspaceError."""
    with os_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:
        # A platform without flock: importing twice at once into one dataset is then the user's to avoid.
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def sweep(directory: Path) -> int:
    """Removes the temporary files of dead writers from ``directory`` (not below) and returns how many they were.

    Another process may be writing right now, so only what is old and whose process is gone is taken.
    """
    removed = 0
    with suppress(OSError):
        for name in os.listdir(directory):
            if name.endswith(TEMPORARY_SUFFIX) and _is_abandoned(directory / name):
                with suppress(OSError):
                    (directory / name).unlink()
                    removed += 1
    return removed


def _is_abandoned(temporary: Path) -> bool:
    with suppress(OSError, ValueError):
        if time.time() - temporary.stat().st_mtime < STALE_AFTER_S:
            return False
        process = int(temporary.name.rsplit(".", 2)[1].partition("-")[0])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        return False
    return False
