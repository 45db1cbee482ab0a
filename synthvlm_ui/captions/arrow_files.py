"""Rows of a Hugging Face data set on disk: a folder of parquet files, or one that save_to_disk wrote (Arrow streams).

An image that the data set holds itself is named file/row. Nothing of it is decoded here, and no script of it is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthvlm_ui.captions.rows import Rejected
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.captions.unfolding import broken_table, open_parquet, unfold
from synthvlm_ui.errors import UnreadableFile

_SPLIT = re.compile(r"(?P<split>[A-Za-z]\w*?)-\d{5}-of-\d{5}")
_BATCH_ROWS = 8192


def tables_of(folder: Path) -> list[Path]:
    """The parquet and Arrow files of a data set's folder, in the order of their names."""
    found = [path for ending in ("parquet", "arrow") for path in sorted(folder.rglob(f"*.{ending}"))]
    return [path for path in found if path.is_file() and not path.name.startswith((".", "cache-"))]


def read_tables(source: Source) -> Iterator[Row | Rejected]:
    """One row a row of every table; the split, where the names of the files say one, is kept.

    Raises: UnreadableFile.
    """

    tables = tables_of(source.path)
    number = 0
    for table in tables:
        name, facts = table.relative_to(source.path).as_posix(), _facts(source.path, table)
        try:
            schema, batches = _batches(table)
            columns = source.choose(schema.names)
            if columns is None:
                raise source.no_caption_column(schema.names)
            taken = taken_columns((columns.caption, columns.id, columns.image), schema)
            row = 0
            for batch in batches([each[0] for each in taken if each and not each[1]]):
                for text, given, image in batch_rows(batch, taken, str(table)):
                    row, number = row + 1, number + 1
                    # A struct of bytes and path, as the library `datasets` writes images.
                    held = f"{name}/{row - 1}" if isinstance(image, Held) else image
                    yield number, text, given, held, facts
        except broken_table() as problem:
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            raise UnreadableFile(f"cannot be read: {reason}", where=str(table),
                                 fix="Check that the data set is complete.") from None


class Held:
    """Stands for an image inside the table, whose bytes are not read."""


HELD = Held()
# (column, whether its values are only to be stood for), or None for a role that no column has.
Taken = tuple[str, bool] | None


def _batches(table: Path) -> tuple[Any, Callable[[Sequence[str]], Iterator[Any]]]:
    """The schema of a table, and its batches with these columns at least."""
    import pyarrow as pa

    def of_parquet(names: Sequence[str]) -> Iterator[Any]:
        file = open_parquet(table, names)
        return iter(file.iter_batches(batch_size=_BATCH_ROWS, columns=list(names)))

    if table.suffix == ".parquet":
        return open_parquet(table).schema_arrow, of_parquet
    stream = pa.ipc.open_stream(pa.memory_map(str(table)))
    return stream.schema, lambda names: iter(stream)


def taken_columns(names: Sequence[str | None], schema: Any) -> list[Taken]:
    """How each of these columns of a pyarrow schema is read: its values, or that it holds one."""
    return [_column(name, schema) for name in names]


def _column(name: str | None, schema: Any) -> Taken:
    import pyarrow as pa

    if name is None:
        return None
    kind = schema.field(name).type
    return name, pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def batch_rows(batch: Any, taken: Sequence[Taken], where: str) -> Iterator[tuple[object, ...]]:
    """Rows of a pyarrow record batch, Held in the place of bytes. Raises: UnreadableFile, pyarrow's errors."""
    names = [None if each is None or each[1] else each[0] for each in taken]
    for values in unfold(batch, names, where):
        yield tuple(HELD if each is not None and each[1] else value
                    for each, value in zip(taken, values, strict=True))


def _facts(folder: Path, table: Path) -> Mapping[str, Any] | None:
    found = _SPLIT.match(table.stem)
    if found is not None and found["split"] != "data":
        return {"split": found["split"]}
    inside = table.relative_to(folder).parts
    return {"split": inside[0]} if len(inside) > 1 and inside[0] != "data" else None
