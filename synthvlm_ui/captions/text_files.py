"""Rows of plain text files (a caption a line) and of tables separated by commas, semicolons or tabs.

Knows no encoding and makes no captions.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from synthvlm_ui.captions.flickr_files import is_list_table, row_of_list
from synthvlm_ui.captions.rows import Columns, Rejected, excerpt
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.errors import BadSetting, UnreadableFile


def read_lines(source: Source) -> Iterator[Row | Rejected]:
    """One row a line."""
    if source.mapping:
        raise BadSetting("a txt file has no columns to map", where="--map", fix="Leave --map out.")
    with source.open_text() as file:
        for number, line in enumerate(file, 1):
            yield number, line, None, None, None


def read_table(source: Source) -> Iterator[Row | Rejected]:
    """One row a record. A table of one column may do without a header.

    Raises: UnreadableFile for a quote that is never closed, and when no column can be taken for the caption.
    """
    with source.open_text(newline="") as file:
        records = csv.reader(file, delimiter=_delimiter(source), strict=True)
        numbered = _records(records, source)
        first_line, header = next(numbered, (1, []))
        if isinstance(header, Rejected):
            raise UnreadableFile(f"the header is not a row of a table: {header.reason}", where=f"{source.path}, line 1")
        names = [name.strip() for name in header]
        if is_list_table(names) and not source.mapping:
            yield from _references(numbered, names, source)
            return
        columns = source.choose(names) if header else None
        if columns is None:
            if len(names) != 1:
                raise source.no_caption_column(names)
            columns, names = Columns("caption"), ["caption"]
            source.columns = columns
            source.notes.append("one column without a header: every row is a caption")
            yield first_line, header[0], None, None, None
        yield from _rows(numbered, names, columns)


def _rows(numbered: Iterator[tuple[int, list[str] | Rejected]], names: list[str],
          columns: Columns) -> Iterator[Row | Rejected]:
    text_at = names.index(columns.caption)
    id_at = names.index(columns.id) if columns.id else None
    image_at = names.index(columns.image) if columns.image else None
    for line, record in numbered:
        if isinstance(record, Rejected):
            yield record
        elif len(record) != len(names):
            reason = f"{len(record)} columns where the header has {len(names)} (an unquoted separator?)"
            yield Rejected(line, reason, excerpt(" ".join(record)))
        else:
            yield (line, record[text_at], record[id_at] if id_at is not None else None,
                   record[image_at] if image_at is not None else None, None)


def _references(numbered: Iterator[tuple[int, list[str] | Rejected]], names: list[str],
                source: Source) -> Iterator[Row | Rejected]:
    source.columns = Columns("raw", "img_id", "filename")
    source.notes.append("read as Flickr30k: the column 'raw' holds the references of an image")
    for line, record in numbered:
        if isinstance(record, Rejected) or len(record) != len(names):
            yield record if isinstance(record, Rejected) else Rejected(line, f"{len(record)} columns", "")
        else:
            yield row_of_list(line, dict(zip(names, record, strict=True)))


def _delimiter(source: Source) -> str:
    if source.format == "tsv":
        return "\t"
    with source.open_text() as file:
        header = file.readline()
    for other, name in ((";", "semicolons"), ("\t", "tabs")):
        if other in header and "," not in header:
            source.notes.append(f"columns are separated by {name}")
            return other
    return ","


def _records(reader: Iterator[list[str]], source: Source) -> Iterator[tuple[int, list[str] | Rejected]]:
    """Records with the line they start on; blank lines are passed over, as the csv format has it."""
    line = 1
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            if "unexpected end of data" in str(problem) or "field larger than" in str(problem):
                raise UnreadableFile("a quote is never closed", where=f"{source.path}, line {line}",
                                     fix="Close it, or write a quote inside a field twice.") from None
            yield line, Rejected(line, f"not a row of a table: {problem}")
        else:
            if record:
                yield line, record
        line = reader.line_num + 1  # type: ignore[attr-defined]
