"""Reads captions from files and folders of every format in FORMATS, one at a time.

Knows no dataset and no store: the same id twice in a file is passed on twice, since what to do then is a choice of
the import. A row that cannot be a caption never stops the reading: it is counted with its reason and line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from synthvlm_ui.captions import (
    arrow_files,
    flickr_files,
    folder_files,
    hub_datasets,
    json_files,
    parquet_files,
    tar_files,
    text_files,
)
from synthvlm_ui.captions.formats import find_format
from synthvlm_ui.captions.rows import Columns, Refusal, Rejected, caption_of, check_mapping, excerpt, references_of
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.config import MAX_CAPTION_CHARACTERS
from synthvlm_ui.errors import BadSetting, CaptionTooLong, EmptyInput
from synthvlm_ui.records import Caption

MAX_REJECTED_LISTED = 1000
_READERS: Mapping[str, Callable[[Source], Iterator[Row | Rejected]]] = {
    "txt": text_files.read_lines,
    "csv": text_files.read_table,
    "tsv": text_files.read_table,
    "json": json_files.read_document,
    "jsonl": json_files.read_json_lines,
    "parquet": parquet_files.read_parquet,
    "flickr-tokens": flickr_files.read_tokens,
    "flickr-bars": flickr_files.read_bars,
    "webdataset": tar_files.read_archives,
    "huggingface": arrow_files.read_tables,
    "folder": folder_files.read_folder,
    "hub": hub_datasets.read_hub,
}
FORMATS = tuple(_READERS)


class ReadCaptions:
    """The captions of one file as an iterator, and what was noticed on the way; complete once it is exhausted.

    ``at_limit`` says that it stopped at the limit, so there may be more.
    ``format`` and ``encoding`` say how the file was read, ``columns`` which columns were taken (None until known or
    where a file has none), ``notes`` what a user should be told. ``read`` counts captions, ``reasons`` rejected rows
    by reason, and ``rejected`` lists the first 1,000 of them.
    """

    def __init__(self, source: Source, limit: int | None) -> None:
        self.path, self.format, self.encoding = source.path, source.format, source.encoding
        self.read = 0
        self.at_limit = False
        self.rejected: list[Rejected] = []
        self.reasons: Counter[str] = Counter()
        self._source, self._limit = source, limit
        self._captions = self._read_rows()
        first = next(self._captions, None)
        if first is None:
            raise self._nothing_usable()
        self._captions = chain((first,), self._captions)

    @property
    def columns(self) -> Columns | None:
        return self._source.columns

    @property
    def names(self) -> tuple[str, ...]:
        """Every column (or JSON field) seen so far, to choose from."""
        return self._source.names

    @property
    def notes(self) -> list[str]:
        return self._source.notes

    @property
    def rejected_count(self) -> int:
        return self.reasons.total()

    def __iter__(self) -> Iterator[Caption]:
        return self._captions

    def __next__(self) -> Caption:
        return next(self._captions)

    def _read_rows(self) -> Iterator[Caption]:
        if self._limit is not None and self._limit < 1:
            raise BadSetting(f"limit {self._limit} is below 1", where="--limit", fix="Give a number from 1 on.")
        name = self.path.name
        for row in _READERS[self.format](self._source):
            if isinstance(row, Rejected):
                self._reject(row)
                continue
            line, text, given_id, image, facts = row
            if type(text) is list and (texts := references_of(text)) is not None:
                several = _references(texts, given_id, facts)
            else:
                several = [(text, given_id, facts)]
            for each, each_id, each_facts in several:
                try:
                    caption = caption_of(each, each_id, image, name, each_facts)
                except Refusal as reason:
                    self._reject(Rejected(line, str(reason), excerpt(each)))
                    continue
                self.read += 1
                yield caption
                if self.read == self._limit:
                    self.at_limit = True
                    return

    def _reject(self, row: Rejected) -> None:
        self.reasons[row.reason] += 1
        if len(self.rejected) < MAX_REJECTED_LISTED:
            self.rejected.append(row)

    def _nothing_usable(self) -> EmptyInput | CaptionTooLong:
        where = str(self.path)
        if not self.rejected:
            return EmptyInput("the file holds no caption", where=where, fix="Give a file with at least one caption.")
        first = self.rejected[0]
        where = f"{where}, line {first.line}"
        if set(self.reasons) == {f"longer than {MAX_CAPTION_CHARACTERS} characters"}:
            return CaptionTooLong(f"every caption is longer than {MAX_CAPTION_CHARACTERS} characters", where=where,
                                  fix="Shorten them; image models read some 77 to 512 tokens.")
        what = f"no usable caption in {self.rejected_count} rows; the first: {first.reason}"
        return EmptyInput(what, where=where, fix="Correct the rows, or name the caption column with --map caption=COL.")


def read_captions(path: str | Path, *, mapping: Mapping[str, str] | None = None,
                  limit: int | None = None) -> ReadCaptions:
    """Opens a caption file, a folder or ``hf:USER/NAME`` and reads up to its first usable caption; the rest follows as
    it is iterated. Of a data set of the Hub ``limit`` is 10,000 captions unless another is given.

    ``mapping`` names the columns that hold ``caption``, ``id`` and ``image``; those not named are guessed.
    Raises: UnreadableFile (missing, wrong format, undecodable, no caption column), EmptyInput (no usable caption),
    CaptionTooLong (every row is), BadSetting (mapping or limit).
    """
    mapping = dict(mapping or {})
    check_mapping(mapping)
    path, form, encoding = find_format(Path(path))
    if form == "hub" and limit is None:
        limit = hub_datasets.DEFAULT_HUB_ROWS
    source = Source(path, form, encoding, mapping)
    if encoding == "cp1252":
        source.notes.append("read as Windows-1252 (cp1252), since it is not UTF-8")
    return ReadCaptions(source, limit)


def _references(texts: list[str], given_id: object, facts: Mapping[str, Any] | None
                ) -> list[tuple[object, object, Mapping[str, Any] | None]]:
    """Several references of one image, each a caption of its own with the row's id and its number, from 0."""
    named = given_id is not None and given_id != "" and isinstance(given_id, str | int)
    return [(text, f"{given_id}-{number}" if named else None, {**(facts or {}), "reference": number})
            for number, text in enumerate(texts)]
