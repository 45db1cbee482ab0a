"""What the reader of one format is given, and where it reports what it found.

Knows of formats only how their files end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from synthvlm_ui.captions.rows import Columns, find_columns
from synthvlm_ui.errors import UnreadableFile

ENDINGS = {".txt": "txt", ".text": "txt", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json",
           ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet", ".tar": "webdataset",
           ".token": "flickr-tokens"}
# (line from 1, caption, id, image, facts beside them or None): the values as the file holds them, not yet checked.
# A caption that is a list of several texts stands for several references of one image.
Row = tuple[int, object, object, object, Mapping[str, Any] | None]


@dataclass
class Source:
    """One file to read: ``mapping`` is the user's, ``columns`` and ``notes`` are filled in by the format's reader."""

    path: Path  # a file, or the folder of a data set
    format: str
    encoding: str | None
    mapping: Mapping[str, str]
    columns: Columns | None = None
    names: tuple[str, ...] = ()  # every column there is to choose from
    notes: list[str] = field(default_factory=list)

    def open_text(self, newline: str | None = None) -> TextIO:
        """The file as text; the encoding was checked over the whole file, so decoding cannot fail later."""
        return self.path.open(encoding=self.encoding, newline=newline)

    def choose(self, names: Iterable[str], mapping: Mapping[str, str] | None = None) -> Columns | None:
        """Finds the columns among these names and remembers and reports them; None when there is no caption column."""
        names = [name for name in names if name]
        self.names = tuple(dict.fromkeys([*self.names, *names]))[:100]
        chosen = find_columns(names, self.mapping if mapping is None else mapping)
        if chosen is not None and chosen != self.columns:
            taken = ", ".join(f"{role} from {column!r}" for role, column in chosen.to_json().items())
            self.notes[:] = [note for note in self.notes if not note.startswith("columns: ")] + [f"columns: {taken}"]
            self.columns = chosen
        return chosen

    def no_caption_column(self, names: Iterable[str]) -> UnreadableFile:
        # Of a file that is no table a "name" may be the whole file.
        listed = ", ".join(repr(name[:40]) for name in list(names)[:20]) or "none at all"
        return UnreadableFile(f"no caption column; the columns are {listed}", where=str(self.path),
                              fix="Name it with --map caption=COL.")
