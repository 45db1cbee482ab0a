"""One app a workspace: the second one is told where the first listens. Commands and workers run beside it as they like.

Knows a lock file and an address; knows no server.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import WorkspaceError
from synthvlm_ui.jobs.locks import FileLock, owner_of, take

LOCK = ".app.lock"


def hold(workspace: Path, address: str) -> FileLock:
    """Takes the place of the workspace's app until the process ends, however it ends.

    Raises: WorkspaceError naming the app that has it.
    """
    try:
        lock = take(workspace / LOCK)
    except PermissionError as error:
        raise WorkspaceError("the workspace cannot be written", where=str(workspace),
                             fix="Start with --read-only, or check the directory's permissions.") from error
    if lock is None:
        owner = app_of(workspace) or {}
        raise WorkspaceError(f"another app serves this workspace at {owner.get('address', 'an unknown address')}"
                             f" (process {owner.get('pid', 'unknown')})", where=str(workspace),
                             fix="Open that address, stop that app, or start this one with --read-only.")
    lock.write_owner({"pid": os.getpid(), "address": address})
    return lock


def app_of(workspace: Path) -> dict[str, Any] | None:
    """Who serves the workspace now, {} when it does not say, None when nobody does."""
    return owner_of(workspace / LOCK)
