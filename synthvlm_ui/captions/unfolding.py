"""Turns columns of a table into Python values without letting a small file unfold to more memory than there is.

A parquet file of some kilobytes may say one text of megabytes a million times. Columns are therefore read as
dictionaries, looked at, and unfolded a few rows at a time. Knows no captions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from synthvlm_ui.errors import UnreadableFile

MAX_TEXT_BYTES = 16 * 2**20
MAX_GROUP_BYTES = 8 * 2**30
_UNFOLDED_BYTES = 64 * 2**20


def broken_table() -> tuple[type[Exception], ...]:
    """What pyarrow raises on files that are no sound tables; its parquet reader raises plain RuntimeErrors too."""
    import pyarrow as pa

    return pa.ArrowException, OSError, RuntimeError, OverflowError, UnicodeDecodeError


def open_parquet(path: Any, columns: Sequence[str] = ()) -> Any:
    """A pyarrow ParquetFile whose ``columns`` come as dictionaries where they hold texts or lists of texts.

    Raises: UnreadableFile when what the file says of their size is more than is ever read at once, pyarrow's errors.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    # Not the sizes of the columns: pyarrow ends the process on some broken files when these are asked for.
    sizes = (file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
    if max(sizes, default=0) > MAX_GROUP_BYTES:
        raise UnreadableFile(f"a row group of more than {MAX_GROUP_BYTES // 2**30} GiB", where=str(path),
                             fix="Write the file anew in smaller row groups.")
    leaves = [file.schema.column(number) for number in range(len(file.schema))]
    texts = [leaf.path for leaf in leaves
             if leaf.path.partition(".")[0] in columns and leaf.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(path, read_dictionary=texts) if texts else file


def unfold(batch: Any, columns: Sequence[str | None], where: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a pyarrow record batch as tuples of Python values, None where ``columns`` names none.

    Raises: UnreadableFile for a text of more than MAX_TEXT_BYTES, pyarrow's errors for a broken file.
    """
    batch.validate(full=True)  # offsets of a broken file lead anywhere in memory: unchecked, they may end the process
    arrays = [None if name is None else batch.column(name) for name in columns]
    widest = max((_longest_bytes(array, where) for array in arrays if array is not None), default=0)
    rows = max(1, min(batch.num_rows, _UNFOLDED_BYTES // max(1, widest)))
    for start in range(0, batch.num_rows, rows):
        here = min(rows, batch.num_rows - start)
        lists = [repeat(None, here) if array is None else array.slice(start, here).to_pylist() for array in arrays]
        yield from zip(*lists, strict=True)


def _longest_bytes(array: Any, where: str) -> int:
    """What one value may come to at most. Raises: UnreadableFile."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = 1
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        times *= max(1, pc.max(pc.list_value_length(array)).as_py() or 1)
        array = array.values
    if pa.types.is_dictionary(array.type):
        array = array.dictionary
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_binary(array.type)
            or pa.types.is_large_binary(array.type)):
        return 64 * times
    longest = pc.max(pc.binary_length(array)).as_py() or 0
    if longest > MAX_TEXT_BYTES:
        raise UnreadableFile(f"a text of {longest / 2**20:.0f} MiB", where=where,
                             fix="Captions have a few hundred characters.")
    return int(longest) * times
