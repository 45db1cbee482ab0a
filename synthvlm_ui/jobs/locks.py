"""File locks that die with their process, which is how everybody notices a worker that was killed.

Probing takes a shared lock for some microseconds. ``take`` therefore tells a prober from an owner before it gives up:
it returns None only when somebody held the lock exclusively during the call. Knows nothing of jobs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import WorkspaceError

_held: set[int] = set()


def _forget_in_child() -> None:
    """A forked child (a data loader, say) must not keep a lock alive after its parent was killed."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


class FileLock:
    """An exclusive lock that this process holds until ``release`` or its end, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor
        _held.add(descriptor)

    def write_owner(self, owner: Mapping[str, Any]) -> None:
        """Says in the file who holds it."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(owner).encode(), 0)

    def still_there(self) -> bool:
        """False when the file was deleted or replaced, so that the lock no longer keeps anybody out."""
        return _same_file(self.path, self.descriptor)

    def release(self) -> None:
        if self.descriptor in _held:
            _held.discard(self.descriptor)
            os.close(self.descriptor)


def take(path: Path) -> FileLock | None:
    """Takes the lock without waiting; None when somebody else has it.

    Raises: FileNotFoundError without its folder; WorkspaceError when the file system has no locks.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if is_held(path):
                return None
            time.sleep(0.001)
            continue
        except OSError as error:
            os.close(descriptor)
            raise _no_locks(path, error) from error
        if _same_file(path, descriptor):
            return FileLock(path, descriptor)
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock now.

    Raises: WorkspaceError when the file system has no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise _no_locks(path, error) from error
    finally:
        os.close(descriptor)
    return False


def owner_of(path: Path) -> dict[str, Any] | None:
    """Who holds the lock: what the owner wrote, {} while it has not yet written, None when nobody does.

    Where the file system has no locks, the process named in the file is looked up instead.
    """
    try:
        if not is_held(path):
            return None
        return _owner_text(path)
    except WorkspaceError:
        owner = _owner_text(path)
        return owner if process_lives(owner) else None


def _owner_text(path: Path) -> dict[str, Any]:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def process_lives(owner: Mapping[str, Any]) -> bool:
    """Whether the process with this ``pid`` and ``create_time`` still runs (a number used again is another process)."""
    import psutil  # here, because only file systems without locks and end_worker ask

    try:
        process = psutil.Process(int(owner["pid"]))
        same = abs(process.create_time() - float(owner["create_time"])) < 1.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (KeyError, TypeError, ValueError, psutil.Error):
        return False


@contextlib.contextmanager
def held_briefly(path: Path) -> Iterator[None]:
    """Waits for the lock and holds it for the block: for changes that take milliseconds.

    Raises: WorkspaceError when the file cannot be opened for writing or the file system has no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError as error:
        raise WorkspaceError("the jobs folder cannot be written to", where=str(path.parent),
                             fix="Open the workspace with an account that may write there.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise _no_locks(path, error) from error
        _held.add(descriptor)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _no_locks(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"file locks do not work here: {error.strerror}", where=str(path),
                          fix="Put the workspace on a local disk.")
