"""An export as one tar, made while it is sent: nothing is written to the disk, and its size is known beforehand.

The images are compressed already, so the tar is not. Knows neither the page nor the network.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.contents import listed_files

_READ_BYTES = 1 << 20
_END = b"\0" * (2 * tarfile.BLOCKSIZE)  # POSIX.1-2001, pax interchange format: two empty blocks


@dataclass(frozen=True, slots=True)
class Archive:
    """An export as a tar, in which all its files lie under ``folder``'s name."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.name}.tar"

    def size_bytes(self) -> int:
        """How long the tar will be. Raises: UnreadableFile when the folder is no export or has changed."""
        return sum(len(self._header(name, size)) + size + _padding(size)
                   for name, size in listed_files(self.folder)) + len(_END)

    def blocks(self) -> Iterator[bytes]:
        """The tar piece by piece. Raises: UnreadableFile when a file is no longer what the manifest says."""
        for name, size in listed_files(self.folder):
            yield self._header(name, size)
            yield from self._contents(name, size)
            yield bytes(_padding(size))
        yield _END

    def _header(self, name: str, size: int) -> bytes:
        member = tarfile.TarInfo(f"{self.folder.name}/{name}")
        member.size = size
        return member.tobuf(tarfile.PAX_FORMAT)

    def _contents(self, name: str, size: int) -> Iterator[bytes]:
        left = size
        with (self.folder / name).open("rb") as file:
            while left:
                part = file.read(min(left, _READ_BYTES))
                if not part:
                    raise UnreadableFile(f"{name!r} became shorter while it was sent", where=str(self.folder),
                                         fix="Download it again.")
                left -= len(part)
                yield part


def _padding(size: int) -> int:
    return -size % tarfile.BLOCKSIZE
