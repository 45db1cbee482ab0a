"""Images that lie inside a larger file: a member of a tar, a row of a parquet or Arrow table.

Reads bytes and decodes nothing; the caller has found the file and checks the image. Nothing is unpacked to disk.
"""

from __future__ import annotations

import tarfile
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

from synthvlm_ui.comparison import RefusedImage
from synthvlm_ui.comparison.real_images import MAX_FILE_BYTES

_ENDINGS = (".tar", ".parquet", ".arrow")


class OpenArchive(Protocol):
    """One archive, opened. Raises: RefusedImage for what is not in it."""

    def read(self, inside: str) -> bytes: ...


def split_name(name: str) -> tuple[str, str] | None:
    """(archive, what is named inside it), or None for a file of its own."""
    for ending in _ENDINGS:
        archive, found, inside = name.partition(ending + "/")
        if found and inside:
            return archive + ending, inside
    return None


def open_archive(path: Path) -> OpenArchive:
    """Raises: RefusedImage when it cannot be read."""
    import pyarrow as pa

    try:
        return _Tar(path) if path.suffix == ".tar" else _Table(path)
    except (tarfile.TarError, pa.ArrowException, OSError, RuntimeError, OverflowError) as error:
        raise RefusedImage("an archive that cannot be read") from error


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path, self._places = path, {}
        with tarfile.open(path, "r:") as tar:
            try:
                for member in tar:
                    if member.isfile():
                        self._places[member.name] = (member.offset_data, member.size)
                    tar.members = []  # type: ignore[attr-defined]
            except tarfile.TarError:
                pass  # cut off: what stands before is there

    _places: dict[str, tuple[int, int]]

    def read(self, inside: str) -> bytes:
        place = self._places.get(inside)
        if place is None:
            raise RefusedImage("no such member in the archive")
        with self._path.open("rb") as file:
            file.seek(place[0])
            return file.read(min(place[1], MAX_FILE_BYTES + 1))


class _Table:
    """Images as the library ``datasets`` writes them: a column of structs with bytes, or of bytes."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._groups: Any = None
        if path.suffix == ".parquet":
            self._file: Any = pq.ParquetFile(path)
            schema, metadata = self._file.schema_arrow, self._file.metadata
            sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        else:
            stream = pa.ipc.open_stream(pa.memory_map(str(path)))
            self._groups, schema = list(stream), stream.schema
            sizes = [batch.num_rows for batch in self._groups]
        self._starts = [0, *accumulate(sizes)]
        self._column = _image_column(schema)
        self._loaded: tuple[int, Any] | None = None

    def read(self, inside: str) -> bytes:
        if not inside.isdecimal() or int(inside) >= self._starts[-1] or self._column is None:
            raise RefusedImage("no such row in the table")
        group = bisect_right(self._starts, int(inside)) - 1
        value = self._images(group)[int(inside) - self._starts[group]].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise RefusedImage("a row without an image")
        return content

    def _images(self, group: int) -> Any:
        import pyarrow as pa

        if self._loaded is None or self._loaded[0] != group:
            try:
                column = (self._groups[group].column(self._column) if self._groups is not None
                          else self._file.read_row_group(group, columns=[self._column]).column(0))
                column.validate(full=True)  # offsets of a broken file lead anywhere in memory
            except (pa.ArrowException, OSError, RuntimeError, OverflowError) as error:
                raise RefusedImage("an archive that cannot be read") from error
            self._loaded = group, column
        return self._loaded[1]


def _image_column(schema: Any) -> str | None:
    import pyarrow as pa

    def holds_images(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    names = [name for name in schema.names if holds_images(schema.field(name).type)]
    return "image" if "image" in names else names[0] if names else None
