"""Real images of a data set on the Hugging Face Hub, read from its stream in the order of its rows.

Knows how a caption's ``image`` (split/row) becomes bytes; decodes nothing. What a data set says of where its bytes lie
was written by somebody else, so it may lead into that data set only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synthvlm_ui.captions import HubDataset, stream_column
from synthvlm_ui.comparison import RefusedImage
from synthvlm_ui.comparison.real_images import MAX_FILE_BYTES


class HubImages:
    """The image column of a data set of the Hub. Going on from row to row is cheap, going back begins anew."""

    def __init__(self, dataset: HubDataset) -> None:
        self._dataset = dataset
        self._split, self._next = "", 0
        self._values: Iterator[Any] = iter(())

    def read(self, name: str) -> bytes:
        """The image of ``split/row``. Raises: RefusedImage, UnreadableFile when the Hub cannot be reached any more."""
        split, _, row = name.partition("/")
        if not row.isdecimal() or not row.isascii():
            raise RefusedImage("not the name of a row of the data set")
        return self._content(self._value(split, int(row)))

    def _value(self, split: str, row: int) -> Any:
        if split != self._split or row < self._next:
            self._values, self._split, self._next = stream_column(self._dataset, split, row), split, row
        for value in self._values:
            self._next += 1
            if self._next > row:
                return value
        self._split = ""
        raise RefusedImage("no such row in the data set")

    def _content(self, value: Any) -> bytes:
        content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
        if isinstance(content, bytes):
            return content
        if not isinstance(path, str):
            raise RefusedImage("a row without an image")
        inside, _, outer = path.rpartition("::")
        if not outer.startswith(f"hf://datasets/{self._dataset.id}@") or (inside and not inside.startswith("zip://")):
            raise RefusedImage("outside the data set")
        return _fetched(path)


def _fetched(path: str) -> bytes:
    """A file of a data set, also inside its zip archive. Raises: RefusedImage."""
    import fsspec

    try:
        with fsspec.open(path, "rb") as file:
            content: bytes = file.read(MAX_FILE_BYTES + 1)
    except Exception as error:  # the Hub's clients raise many kinds
        raise RefusedImage("a file of the data set that cannot be read") from error
    return content
