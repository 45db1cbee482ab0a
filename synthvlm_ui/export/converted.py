"""Images that an unfinished export has converted already, in one file that is only appended to.

An export that was killed and is carried out again takes them from there: what a kill costs is a few images. Knows no
format and no store.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType

from synthvlm_ui.export.pictures import Picture

_HEAD = struct.Struct("<IHBIII")  # checksum, bytes of the id, bytes of the suffix, width, height, bytes of the data


class ConvertedPictures:
    """``get`` and ``put`` by the candidate's id; a record cut by a kill ends what is known."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._places: dict[str, int] = {}
        self._end = self._scan()
        self._file.truncate(self._end)

    def __enter__(self) -> ConvertedPictures:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, identity: str) -> bool:
        return identity in self._places

    def get(self, identity: str) -> Picture | None:
        place = self._places.get(identity)
        found = None if place is None else self._read(place)
        return found[1] if found else None

    def put(self, identity: str, picture: Picture) -> None:
        name, suffix = identity.encode("utf-8"), picture.suffix.encode("ascii")
        body = name + suffix + picture.data
        head = _HEAD.pack(zlib.crc32(body), len(name), len(suffix), picture.width, picture.height, len(picture.data))
        self._file.write(head + body)
        self._file.flush()  # out of this process, so that its end loses nothing
        self._places[identity] = self._end
        self._end += len(head) + len(body)

    def _scan(self) -> int:
        place = 0
        while (found := self._read(place)) is not None:
            identity, _, after = found
            self._places[identity] = place
            place = after
        return place

    def _read(self, place: int) -> tuple[str, Picture, int] | None:
        """The record at a place and where the next one is; None when there is none, or not all of it."""
        self._file.seek(place)
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        checksum, name, suffix, width, height, size = _HEAD.unpack(head)
        body = self._file.read(name + suffix + size)
        if len(body) < name + suffix + size or zlib.crc32(body) != checksum:
            return None
        start = name + suffix
        picture = Picture(body[start:], body[name:start].decode("ascii"), width, height)
        return body[:name].decode("utf-8"), picture, place + _HEAD.size + len(body)
