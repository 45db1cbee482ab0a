"""A workspace: one directory that holds everything, open in several processes at once. Knows no screen and no job."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from synthvlm_ui.errors import WorkspaceError
from synthvlm_ui.store.decisions.journal import Journal
from synthvlm_ui.store.files.atomic import os_errors, sweep, write_bytes
from synthvlm_ui.store.files.caption_curation import CaptionCurationStore
from synthvlm_ui.store.files.caption_embeddings import CaptionEmbeddings
from synthvlm_ui.store.files.captions import CaptionStore
from synthvlm_ui.store.files.clusterings import ClusteringStore
from synthvlm_ui.store.files.paths import FOLDERS, FORMAT_FILE, WorkspacePaths
from synthvlm_ui.store.files.scores import ScoreStore
from synthvlm_ui.store.files.selections import SelectionStore
from synthvlm_ui.store.files.shards import ShardStore
from synthvlm_ui.store.memory.columns import CandidateColumns

FORMAT_VERSION = 1
# What may lie in a directory that is still to become a workspace.
_IGNORED = {".DS_Store", ".gitkeep", "lost+found"}


class Workspace:
    """The stores of one workspace directory; ``columns`` are read when they are first asked for.

    Use ``Workspace.open``; as a context manager it closes itself. Not for use across a fork.
    """

    def __init__(self, paths: WorkspacePaths) -> None:
        self.paths = paths
        self.captions = CaptionStore(paths)
        self.caption_curation = CaptionCurationStore(paths)
        self.shards = ShardStore(paths)
        self.scores = ScoreStore(paths)
        self.journal = Journal(paths.journal, read_only=paths.read_only)
        self.selections = SelectionStore(paths, self.journal)
        self.caption_embeddings = CaptionEmbeddings(paths)
        self.clusterings = ClusteringStore(paths, lambda: self.columns.n)
        self._columns: CandidateColumns | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, root: Path | str, *, create: bool = True, read_only: bool = False) -> Workspace:
        """Opens the workspace at ``root``, or makes one there when the directory is new or empty and ``create`` is on.

        Raises: WorkspaceError for a directory that is something else, a newer format, or none; CorruptData, DiskFull.
        """
        paths = WorkspacePaths(Path(root).expanduser().absolute(), read_only)
        if not paths.format_file.is_file():
            _create(paths, allowed=create and not read_only)
        _check_format(paths.format_file)
        if not read_only:
            if not os.access(paths.root, os.W_OK):
                raise WorkspaceError("the workspace may only be read", where=str(paths.root),
                                     fix="Open it with --read-only, or give it a disk that may be written.")
            with os_errors(paths.root):
                for folder in FOLDERS:
                    (paths.root / folder).mkdir(exist_ok=True)
            _sweep(paths)
        return cls(paths)

    @property
    def root(self) -> Path:
        return self.paths.root

    @property
    def read_only(self) -> bool:
        return self.paths.read_only

    @property
    def columns(self) -> CandidateColumns:
        """The candidates as numpy columns, read at the first call. Raises: CorruptData, DiskFull."""
        with self._lock:
            if self._columns is None:
                self._columns = CandidateColumns(self.paths, self.journal)
            return self._columns

    def free_bytes(self) -> int:
        """How much room is left where the workspace lives."""
        return shutil.disk_usage(self.root).free

    def close(self) -> None:
        """Saves what spares the next opening some work, and lets go of the journal."""
        try:
            if self._columns is not None:
                self._columns.close()
        finally:
            self.journal.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()


def _create(paths: WorkspacePaths, *, allowed: bool) -> None:
    if not allowed:
        raise WorkspaceError("there is no workspace", where=str(paths.root),
                             fix="Give the directory of a workspace, or let one be made there.")
    if paths.root.exists() and not paths.root.is_dir():
        raise WorkspaceError("a workspace is a directory, and this is a file", where=str(paths.root),
                             fix="Give another path.")
    if paths.root.is_dir() and (found := _foreign(paths.root)) is not None and not paths.format_file.is_file():
        raise WorkspaceError(f"the directory holds other things ({found}) and no workspace", where=str(paths.root),
                             fix="Give an empty or new directory.")
    with os_errors(paths.root):
        paths.root.mkdir(parents=True, exist_ok=True)
    described = {"format_version": FORMAT_VERSION, "created": datetime.now(UTC).isoformat(timespec="seconds")}
    write_bytes(paths.format_file, json.dumps(described).encode("ascii"))


def _foreign(root: Path) -> str | None:
    # Another process may be making this very workspace, so its temporary format file is no stranger.
    return next((name for name in sorted(os.listdir(root))
                 if name not in _IGNORED and not name.startswith(f"{FORMAT_FILE}.")), None)


def _check_format(file: Path) -> None:
    try:
        version = int(json.loads(file.read_bytes())["format_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = f'Write {{"format_version": {FORMAT_VERSION}}} into it if this is a workspace.'
        raise WorkspaceError("the workspace's format file does not read back", where=str(file), fix=fix) from error
    if version > FORMAT_VERSION:
        raise WorkspaceError(f"the workspace has the format {version}, this program knows up to {FORMAT_VERSION}",
                             where=str(file), fix="Update SynthVLM UI, or open another workspace.")


def _sweep(paths: WorkspacePaths) -> None:
    folders = [paths.root, paths.selections, paths.snapshot, paths.temp]
    for parent in (paths.captions, paths.shards, paths.thumbnails, paths.scores, paths.embeddings):
        folders += [parent, *(parent / name for name in paths.folders_in(parent))]
    for folder in folders:
        sweep(folder)
