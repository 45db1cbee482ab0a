"""Rows of a parquet file, batch by batch.

Makes no captions; pyarrow is loaded only when a parquet file is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from synthvlm_ui.captions.rows import Rejected
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.errors import UnreadableFile

_BATCH_ROWS = 8192


def read_parquet(source: Source) -> Iterator[Row | Rejected]:
    """One row a row of the file, from 1. Only the columns taken are read.

    Raises: UnreadableFile when it is no parquet file or the caption column holds no text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.path)
        columns = source.choose(file.schema_arrow.names)
        if columns is None:
            raise source.no_caption_column(file.schema_arrow.names)
        kind = file.schema_arrow.field(columns.caption).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_list(kind)
                or pa.types.is_string_view(kind)):
            raise UnreadableFile(f"column {columns.caption!r} holds {kind}, not text", where=str(source.path),
                                 fix="Name the caption column with --map caption=COL.")
        wanted = {role: name for role, name in columns.to_json().items()
                  if not pa.types.is_struct(file.schema_arrow.field(name).type)}
        before = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(wanted.values())):
            batch.validate(full=True)
            lists = [batch.column(wanted[role]).to_pylist() if role in wanted else repeat(None)
                     for role in ("caption", "id", "image")]
            for row, (text, given_id, image) in enumerate(zip(*lists, strict=False), before + 1):
                yield row, text, given_id, image, None
            before += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UnreadableFile(f"cannot be read as parquet: {reason}", where=str(source.path),
                             fix="Check that the file is complete.") from None
