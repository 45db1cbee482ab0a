"""The smallest tar that WebDataset and every tar program read: plain ustar members with fixed dates and owners.

Equal members give equal bytes. Knows nothing of what the members are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK_BYTES = 512
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)
MAX_MEMBER_BYTES = 8 * 2**30 - 1
WHOLE_FILE_BYTES = 2 * 2**20
WINDOW_BYTES = 8192

_NAME_BYTES = 100
_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
_MAGIC = slice(257, 263)
_BLANK_CHECKSUM = 8 * ord(" ")


class DamagedTar(ValueError):
    """The bytes are not a tar as this module writes them; the message says what is wrong and at which offset."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """Where one member's content lies in its archive, in bytes."""

    name: str
    offset: int
    size: int


def _blank_header() -> bytes:
    block = bytearray(BLOCK_BYTES)
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[136:148] = b"00000000000\0"
    block[_CHECKSUM] = b" " * 8
    block[156:157] = b"0"
    block[257:265] = b"ustar\x0000"
    return bytes(block)


_BLANK_HEADER = _blank_header()


def _header(name: str, size: int) -> bytes:
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= _NAME_BYTES or size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name!r} with {size} bytes does not fit a ustar header")
    block = bytearray(_BLANK_HEADER)
    block[: len(encoded)] = encoded
    block[_SIZE] = b"%011o\0" % size
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def write_tar(file: BinaryIO, members: Iterable[tuple[str, bytes]]) -> None:
    """Writes (name, content) members in order. Raises: ValueError for a name over 100 characters or 8 GiB."""
    for name, content in members:
        file.write(_header(name, len(content)))
        file.write(content)
        file.write(bytes(-len(content) % BLOCK_BYTES))
    file.write(END_OF_ARCHIVE)


class TarFile:
    """Reads an open archive by position, fetching a little more than asked, since header and facts lie side by side."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._window_bytes = self.size if self.size <= WHOLE_FILE_BYTES else WINDOW_BYTES
        self._start, self._window = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes at ``offset``. Raises: DamagedTar when the file ends before."""
        start = offset - self._start
        if start < 0 or start + size > len(self._window):
            self._window = os.pread(self._descriptor, max(size, self._window_bytes), offset)
            self._start, start = offset, 0
        content = self._window[start : start + size]
        if len(content) != size:
            raise DamagedTar(f"it ends inside a member, at byte {offset + len(content)}")
        return content

    def members(self) -> Iterator[TarMember]:
        """Every member in order. Raises: DamagedTar at the first header that is not whole, or without an end mark."""
        offset = 0
        while True:
            block = self.read(offset, BLOCK_BYTES)
            if not block[0] and not any(block):
                return
            member = _parse(block, offset)
            offset = member.offset + member.size
            offset += -offset % BLOCK_BYTES
            if offset + BLOCK_BYTES > self.size:
                raise DamagedTar(f"it ends inside or right after {member.name}")
            yield member


def _parse(block: bytes, offset: int) -> TarMember:
    try:
        claimed = int(block[_CHECKSUM].strip(b" \0"), 8)
        size = int(block[_SIZE].strip(b" \0"), 8)
        name = block[:_NAME_BYTES].rstrip(b"\0").decode("ascii")
    except ValueError as error:
        raise DamagedTar(f"no member header at byte {offset}") from error
    if claimed != sum(block) - sum(block[_CHECKSUM]) + _BLANK_CHECKSUM or block[_MAGIC] != b"ustar\0":
        raise DamagedTar(f"the member header at byte {offset} fails its checksum")
    if block[156:157] not in (b"0", b"\0"):
        raise DamagedTar(f"the member at byte {offset} is not a plain file")
    return TarMember(name, offset + BLOCK_BYTES, size)
