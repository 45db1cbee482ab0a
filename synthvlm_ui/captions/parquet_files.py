"""Rows of a parquet file, batch by batch.

Makes no captions; pyarrow is loaded only when a parquet file is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from synthvlm_ui.captions.rows import Rejected
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.captions.unfolding import broken_table, open_parquet, unfold
from synthvlm_ui.errors import UnreadableFile

_BATCH_ROWS = 8192


def read_parquet(source: Source) -> Iterator[Row | Rejected]:
    """One row a row of the file, from 1. Only the columns taken are read.

    Raises: UnreadableFile when it is no parquet file or the caption column holds no text.
    """
    import pyarrow as pa

    where = str(source.path)
    try:
        schema = open_parquet(source.path).schema_arrow
        columns = source.choose(schema.names)
        if columns is None:
            raise source.no_caption_column(schema.names)
        kind = schema.field(columns.caption).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_list(kind)
                or pa.types.is_string_view(kind)):
            raise UnreadableFile(f"column {columns.caption!r} holds {kind}, not text", where=where,
                                 fix="Name the caption column with --map caption=COL.")
        wanted = {role: name for role, name in columns.to_json().items()
                  if not pa.types.is_struct(schema.field(name).type)}
        names = list(dict.fromkeys(wanted.values()))
        file = open_parquet(source.path, names)
        roles = [wanted.get(role) for role in ("caption", "id", "image")]
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
            for text, given_id, image in unfold(batch, roles, where):
                number += 1
                yield number, text, given_id, image, None
    except broken_table() as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UnreadableFile(f"cannot be read as parquet: {reason}", where=str(source.path),
                             fix="Check that the file is complete.") from None
