"""Many captions as arrays: characters, words and where they stand, worked out once and shared by the rules.

Knows what a word is (between spaces, tabs and line breaks, without special characters at its ends) and no rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.characters import SEPARATOR, SPECIAL, character_classes
from synthvlm_ui.captions.rules.hashing import MAX_OWNERS, Hashes, Spans, symbol_values

Places = NDArray[np.int64]
MAX_TEXTS = min(MAX_OWNERS, 32768)


@dataclass(frozen=True)
class Words:
    """Words of many captions in their order.

    ``owner`` is each word's caption, ``start`` and ``end`` its place among the block's characters. Shapes: (W,).
    """

    owner: Places
    start: Places
    end: Places
    counts: Places
    hashes: Hashes

    @cached_property
    def first(self) -> Places:
        """Where each caption's words begin. Shape (captions,)."""
        return np.cumsum(self.counts) - self.counts


class Characters:
    """The code points of some texts, a line break between each and the next. Shapes: starts and ends (captions,)."""

    def __init__(self, texts: Sequence[str]) -> None:
        joined = "\n".join(texts)
        if joined.isascii():
            self.codes: NDArray[np.unsignedinteger] = np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
        else:
            self.codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        self.lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        self.starts = np.cumsum(self.lengths + 1) - self.lengths - 1
        self.ends = self.starts + self.lengths
        self.classes = character_classes()[self.codes]

    @cached_property
    def values(self) -> Hashes:
        """The hash value of each character."""
        return symbol_values()[self.codes]

    @cached_property
    def spans(self) -> Spans:
        return Spans(self.values)

    def count(self, marked: NDArray[np.bool_]) -> Places:
        """How many characters of each caption are marked. Shapes: (characters,) gives (captions,)."""
        sums = _counted(marked)
        return sums[self.ends] - sums[self.starts]

    @cached_property
    def words(self) -> Words:
        """The pieces between spaces, tabs and line breaks, as they stand."""
        inside = (self.classes & SEPARATOR) == 0
        padded = np.concatenate([[False], inside, [False]])
        start = np.flatnonzero(padded[1:] & ~padded[:-1])
        end = np.flatnonzero(padded[:-1] & ~padded[1:])
        return self._words(start, end)

    @cached_property
    def refined_words(self) -> Words:
        """The words without special characters at their ends; words of nothing else are left out."""
        whole = self.words
        plain = (self.classes & SPECIAL) == 0
        sums = _counted(plain)
        positions = np.flatnonzero(plain)
        low, high = sums[whole.start], sums[whole.end]
        kept = high > low
        return self._words(positions[low[kept]], positions[high[kept] - 1] + 1)

    def _words(self, start: Places, end: Places) -> Words:
        owner = np.searchsorted(self.starts, start, side="right") - 1
        counts = np.bincount(owner, minlength=len(self.starts))
        return Words(owner, start, end, counts, self.spans.hash(start, end))


class TextBlock:
    """At most 32,768 captions, as they are and in lower case."""

    def __init__(self, texts: Sequence[str]) -> None:
        if len(texts) > MAX_TEXTS:
            raise ValueError(f"a block holds at most {MAX_TEXTS} captions")
        self.texts = texts
        self.raw = Characters(texts)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def lowered(self) -> Characters:
        return Characters([text.lower() for text in self.texts])


def storable(text: str) -> str:
    """The text with ? for half a surrogate pair, which no engine outside Python takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _counted(marked: NDArray[np.bool_]) -> Places:
    sums = np.zeros(len(marked) + 1, dtype=np.int64)
    np.cumsum(marked, out=sums[1:])
    return sums
