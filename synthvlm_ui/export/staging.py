"""The folder an export grows in: a hidden sibling of its destination that is renamed when it is whole.

Knows no format. Whatever happens before the rename, the destination is as it was; an interrupted export leaves at most
the hidden folder, which the next export to the same place removes.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

from synthvlm_ui.errors import BadSetting, DiskFull, UserError, WorkspaceError

MANIFEST = "manifest.json"
MADE_BY = "synthvlm_ui export"


class Unfinished(Protocol):
    """Something open in a staging folder; ``abandon`` lets go of it without caring what could still be written."""

    def abandon(self) -> None: ...


class TextFile:
    """A UTF-8 file of a staging folder that is hashed while it is written."""

    def __init__(self, folder: Staging, relative: str) -> None:
        self._folder, self._relative = folder, relative
        self._hash, self._bytes = hashlib.sha256(), 0
        self._file = io.BufferedWriter(io.FileIO(folder.path / relative, "xb"), 1 << 20)
        folder.open_files.append(self)

    def write(self, text: str) -> None:
        data = text.encode("utf-8")
        self._hash.update(data)
        self._bytes += len(data)
        self._file.write(data)

    def __enter__(self) -> TextFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        self._folder.digests[self._relative] = (self._hash.hexdigest(), self._bytes)

    def abandon(self) -> None:
        """Closes without caring whether the rest can still be written."""
        with suppress(OSError):
            self._file.close()


class Staging:
    """A growing export; ``digests`` maps each file to (SHA-256, size in bytes)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digests: dict[str, tuple[str, int]] = {}
        self.open_files: list[Unfinished] = []
        self._made: set[Path] = set()

    def write_bytes(self, relative: str, data: bytes) -> None:
        target = self.path / relative
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        with target.open("xb") as file:
            file.write(data)
        self.digests[relative] = (hashlib.sha256(data).hexdigest(), len(data))

    def write_text(self, relative: str, text: str) -> None:
        with self.open_text(relative) as file:
            file.write(text)

    def open_text(self, relative: str) -> TextFile:
        return TextFile(self, relative)

    def record(self, relative: str) -> None:
        """Takes a file into the manifest that something else wrote."""
        with (self.path / relative).open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.digests[relative] = (digest, (self.path / relative).stat().st_size)

    def write_manifest(self, form: str, written: int) -> str:
        """Writes the list of every other file and returns its own SHA-256."""
        head = {"made_by": MADE_BY, "schema_version": 1, "format": form, "written": written}
        lines = [f'  {json.dumps(name)}: {{"sha256": "{digest}", "bytes": {size}}}'
                 for name, (digest, size) in sorted(self.digests.items())]
        text = json.dumps(head)[:-1] + ', "files": {\n' + ",\n".join(lines) + "\n}}\n"
        self.write_text(MANIFEST, text)
        return self.digests[MANIFEST][0]


@contextmanager
def staged(out: Path, overwrite: bool) -> Iterator[Staging]:
    """A staging folder that takes the place of ``out`` when the block ends well, and is gone when it does not.

    Raises: BadSetting when ``out`` holds something else, DiskFull, WorkspaceError when it cannot be written.
    """
    out = Path(os.path.realpath(out))
    check_out(out, overwrite)
    path: Path | None = None
    staging: Staging | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out)
        path = _hidden_sibling(out)
        path.mkdir()
        staging = Staging(path)
        yield staging
        _sync(path)
        _put_in_place(path, out)
    except OSError as problem:
        raise _explained(problem, out) from problem
    finally:
        for file in staging.open_files if staging else ():
            file.abandon()
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)


def check_out(out: Path, overwrite: bool) -> None:
    """Raises BadSetting unless the destination is absent, empty, or an earlier export that may be replaced."""
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise BadSetting("the destination is a file", where=str(out), fix="Name a folder with --out.")
    if not any(out.iterdir()):
        return
    if not is_export(out):
        raise BadSetting("the folder is not empty and no earlier export", where=str(out),
                         fix="Name another folder with --out.")
    if not overwrite:
        raise BadSetting("an earlier export is there", where=str(out),
                         fix="Name another folder with --out, or replace it with --overwrite.")


def is_export(folder: Path) -> bool:
    """Whether this program wrote the folder, by the first bytes of its manifest."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            return file.read(200).startswith(json.dumps({"made_by": MADE_BY}).encode()[:-1])
    except OSError:
        return False


def _put_in_place(path: Path, out: Path) -> None:
    if not out.is_dir() or not any(out.iterdir()):
        os.rename(path, out)
    else:
        old = _hidden_sibling(out)
        os.rename(out, old)
        try:
            os.rename(path, out)
        except OSError:
            os.rename(old, out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    _sync(out.parent)


def _remove_abandoned(out: Path) -> None:
    """Removes what interrupted exports to this place left, unless the process that makes it is alive."""
    for left in out.parent.glob(f".{glob.escape(out.name)}.partial-{_host()}-*"):
        owner = left.name.rpartition(f".partial-{_host()}-")[2].partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _hidden_sibling(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial-{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")


def _host() -> str:
    """Names this machine: on a shared disk, a process number means nothing elsewhere."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(problem: OSError, out: Path) -> UserError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("no room left for the export; nothing was written", where=str(out),
                        fix="Free some space, or name a folder on another disk with --out.")
    reason = problem.strerror or str(problem)
    return WorkspaceError(f"the export cannot be written: {reason}", where=str(out), fix="Name another folder.")
