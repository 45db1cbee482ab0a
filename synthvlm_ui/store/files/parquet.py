"""Parquet files as Python lists and numpy arrays: the only module that names pyarrow, and only when it is used.

Loading pyarrow takes longer than opening a workspace, which reads none of these files as long as its snapshot holds.
Knows nothing of captions or scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

COMPRESSION = "zstd"
Metadata = dict[str, str]
# What pyarrow raises beside its own exceptions on a file whose bytes have changed.
_BROKEN = (OSError, RuntimeError, OverflowError, KeyError, ValueError, TypeError)


class DamagedParquet(ValueError):
    """The file is no parquet as this module writes them; the message is one line and says why."""


class TextWriter:
    """Writes batches of text columns into one file, and metadata at its end."""

    def __init__(self, file: BinaryIO, names: Sequence[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema([pa.field(name, pa.string()) for name in names])
        self._writer = pq.ParquetWriter(file, self._schema, compression=COMPRESSION,
                                        write_page_checksum=True)

    def __enter__(self) -> TextWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._writer.close()

    def add(self, columns: Mapping[str, list[str | None]]) -> None:
        """Adds rows. Raises: ValueError for a text that is not Unicode or no text at all."""
        import pyarrow as pa

        try:
            table = pa.table(dict(columns), schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
            raise ValueError(str(error)) from error
        self._writer.write_table(table)

    def describe(self, metadata: Metadata) -> None:
        """Adds metadata, which may say what was counted on the way."""
        self._writer.add_key_value_metadata(metadata)


def write_columns(file: BinaryIO, ids: Sequence[str], columns: Mapping[str, NDArray[Any]], metadata: Metadata) -> None:
    """Writes a text column ``candidate_id`` and numeric columns beside it. Shapes: all (N,)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"candidate_id": pa.array(list(ids), pa.string()),
                      **{name: pa.array(values) for name, values in columns.items()}})
    pq.write_table(table.replace_schema_metadata(metadata), file, compression=COMPRESSION, write_page_checksum=True)


def read_columns(path: Path) -> tuple[dict[str, NDArray[Any]], Metadata]:
    """What ``write_columns`` wrote, the ids as S16. Raises: DamagedParquet."""
    import pyarrow as pa

    try:
        # The file is small and read at once; by its path pyarrow would hand it to another thread, piece by piece.
        table = _open(pa.BufferReader(path.read_bytes())).read(use_threads=False)
        columns = {name: table.column(name).to_numpy() for name in table.column_names if name != "candidate_id"}
        columns["candidate_id"] = np.array(table.column("candidate_id").to_pylist(), dtype="S16")
        return columns, _text(table.schema.metadata)
    except (pa.ArrowException, *_BROKEN) as error:
        raise _damaged(error) from error


def write_table(file: BinaryIO, texts: Mapping[str, Sequence[str | None]], columns: Mapping[str, NDArray[Any]],
                metadata: Metadata) -> None:
    """Writes any text and numeric columns side by side. Shapes: all (N,). Raises: ValueError for what is no text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({**{name: pa.array(list(values), pa.string()) for name, values in texts.items()},
                      **{name: pa.array(values) for name, values in columns.items()}})
    pq.write_table(table.replace_schema_metadata(metadata), file, compression=COMPRESSION, write_page_checksum=True)


def read_table(path: Path) -> tuple[dict[str, list[str | None]], dict[str, NDArray[Any]], Metadata]:
    """What ``write_table`` wrote: text columns, numeric columns, metadata. Raises: DamagedParquet."""
    import pyarrow as pa

    try:
        table = _open(pa.BufferReader(path.read_bytes())).read(use_threads=False)
        texts = {name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)}
        return ({name: table.column(name).to_pylist() for name in texts},
                {name: table.column(name).to_numpy() for name in table.column_names if name not in texts},
                _text(table.schema.metadata))
    except (pa.ArrowException, *_BROKEN) as error:
        raise _damaged(error) from error


def read_batches(path: Path, names: Sequence[str],
                 where: tuple[str, str] | None = None) -> Iterator[list[list[str | None]]]:
    """Some text columns by batches; with ``where`` only rows of that column and value. Raises: DamagedParquet."""
    import pyarrow as pa

    try:
        with _open(path) as file:
            for batch in file.iter_batches(columns=list(names)):
                if where is not None:
                    import pyarrow.compute as pc

                    batch = batch.filter(pc.equal(batch.column(where[0]), where[1]))
                yield [batch.column(name).to_pylist() for name in names]
    except (pa.ArrowException, *_BROKEN) as error:
        raise _damaged(error) from error


def read_metadata(path: Path) -> Metadata:
    """The metadata of a file. Raises: DamagedParquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Of the file, not of its schema: metadata added while writing is only there.
        return _text(pq.read_metadata(path).metadata)
    except (pa.ArrowException, *_BROKEN) as error:
        raise _damaged(error) from error


def _open(source: Any) -> Any:
    """Pages carry checksums, so that a flipped bit is an error and never another number."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(source, page_checksum_verification=True)


def _text(metadata: Mapping[bytes, bytes] | None) -> Metadata:
    return {name.decode("utf-8"): value.decode("utf-8") for name, value in (metadata or {}).items()}


def _damaged(error: Exception) -> DamagedParquet:
    return DamagedParquet((str(error).splitlines() or [type(error).__name__])[0])


def read_texts(paths: Sequence[Path]) -> tuple[list[str], Any]:
    """The columns ``id`` as a list and ``caption`` as one pyarrow array. Raises: DamagedParquet."""
    import pyarrow as pa

    try:
        tables = [_open(path).read(columns=["id", "caption"]) for path in paths]
    except (pa.ArrowException, *_BROKEN) as error:
        raise DamagedParquet(" ".join(str(error).split())) from error
    whole = pa.concat_tables(tables)
    return whole["id"].to_pylist(), whole["caption"].combine_chunks().fill_null("")


def last_of_each(ids: list[str], texts: Any) -> tuple[list[str], Any]:
    """Each id once, at its first place, with its last text."""
    import pyarrow as pa

    last = {name: row for row, name in enumerate(ids)}
    return list(last), texts.take(pa.array(list(last.values())))
