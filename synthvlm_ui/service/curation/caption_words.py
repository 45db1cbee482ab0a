"""The captions of a dataset in memory: their texts, lengths, and an index of their words.

Made from the caption store in the background and thrown away when captions come; nothing of it is on disk. Knows no
candidate beyond the codes that the columns give captions, and no rule.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions import token_counts
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.store import CandidateColumns, CaptionStore

_WORD = re.compile(r"\w+", re.UNICODE)
_QUERY = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
_Mask = NDArray[np.bool_]


class CaptionWords:
    """Shapes: ``codes`` (N,) are the captions' codes in the columns, -1 where a caption has no candidate."""

    def __init__(self, store: CaptionStore, columns: CandidateColumns, dataset: str) -> None:
        ids, self.texts = store.text_array(dataset)
        self.codes = columns.caption_codes_of(dataset, ids)

    def __len__(self) -> int:
        return len(self.texts)

    def prepare(self) -> None:
        """Makes the index now instead of at the first search, and lets go of what making it took."""
        import pyarrow as pa

        _ = self._index
        pa.default_memory_pool().release_unused()

    def text(self, row: int) -> str:
        return str(self.texts[row].as_py())

    @cached_property
    def _rows_by_code(self) -> NDArray[np.int32]:
        rows = np.full(int(self.codes.max(initial=-1)) + 1, -1, np.int32)
        known = np.flatnonzero(self.codes >= 0)
        rows[self.codes[known]] = known
        return rows

    def text_of(self, code: int) -> str | None:
        """The caption behind a code of the columns, None when it is not among these."""
        row = int(self._rows_by_code[code]) if 0 <= code < len(self._rows_by_code) else -1
        return self.text(row) if row >= 0 else None

    def find(self, query: str) -> _Mask:
        """The captions that hold every word of a query, (N,); see ``parse_query``. Raises: BadSetting."""
        wanted = np.ones(len(self), bool)
        for is_wanted, words, is_start in parse_query(query):
            found = self._holding(words, is_start)
            wanted &= found if is_wanted else ~found
        return wanted

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """Characters of each caption, (N,)."""
        import pyarrow.compute as pc

        return np.asarray(pc.utf8_length(self.texts), np.int32)

    @cached_property
    def word_counts(self) -> NDArray[np.int32]:
        """Words of each caption, between spaces, (N,)."""
        import pyarrow.compute as pc

        return np.asarray(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(self.texts))), np.int32)

    @cached_property
    def token_counts(self) -> NDArray[np.int32]:
        """CLIP's tokens of each caption with start and end, (N,); the first call takes some 10 us each."""
        return token_counts(self.texts.to_pylist())

    def _holding(self, words: Sequence[str], is_start: bool) -> _Mask:
        found = np.ones(len(self), bool)
        for place, word in enumerate(words):
            found &= self._rows_of(word, is_start and place == len(words) - 1)
        if len(words) > 1:
            found &= self._in_a_row(found, words, is_start)
        return found

    def _rows_of(self, word: str, is_start: bool) -> _Mask:
        vocabulary, starts, rows = self._index
        places, said = range(len(vocabulary)), lambda place: vocabulary[place].as_py()
        first = bisect_left(places, word, key=said)
        last = bisect_left(places, word + "\U0010ffff", key=said) if is_start else bisect_right(places, word, key=said)
        found = np.zeros(len(self), bool)
        found[rows[starts[first] : starts[last]]] = True
        return found

    def _in_a_row(self, among: _Mask, words: Sequence[str], is_start: bool) -> _Mask:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = np.flatnonzero(among)
        pattern = r"(?:^|[^\pL\pN_])" + r"[^\pL\pN_]+".join(re.escape(word) for word in words)
        pattern += "" if is_start else r"(?:[^\pL\pN_]|$)"
        texts = pc.utf8_lower(self.texts.take(pa.array(rows)))
        found = np.zeros(len(among), bool)
        found[rows[np.asarray(pc.match_substring_regex(texts, pattern))]] = True
        return found

    @cached_property
    def _index(self) -> tuple[Any, NDArray[np.int64], NDArray[np.int32]]:
        """The words in order, where the rows of each begin, and the rows."""
        import pyarrow.compute as pc

        plain = pc.replace_substring_regex(pc.utf8_lower(self.texts), pattern=r"[^\pL\pN_]+", replacement=" ")
        split = pc.utf8_split_whitespace(plain)
        parents = np.asarray(pc.list_parent_indices(split), np.int32)
        coded = pc.list_flatten(split).dictionary_encode()
        codes = np.asarray(coded.indices, np.int32)
        order = np.asarray(pc.sort_indices(coded.dictionary))  # by bytes of UTF-8, which is Python's order
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        place = rank[codes]
        by_word = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[by_word], np.arange(len(order) + 1))
        return coded.dictionary.take(order), starts, parents[by_word]


def parse_query(query: str) -> list[tuple[bool, list[str], bool]]:
    """The parts of a query as (wanted, words in a row, last word is only a start).

    Words must all be there, whole and in any order; "two words" in quotes one after the other; -word must not be there;
    wor* is the start of a word. Case does not matter. Raises: BadSetting when there is no word.
    """
    parts = []
    for sign, quoted, bare in _QUERY.findall(query):
        words = [word.lower() for word in _WORD.findall(quoted or bare)]
        if words:
            parts.append((not sign, words, bare.endswith("*")))
    if not parts:
        raise BadSetting(f"there is no word in {query[:40]!r}", where="text", fix="Give a word to look for.")
    return parts


class CaptionColumn:
    """The captions of candidates as a column of a filter: ``caption contains "red cat"``. Shapes: ``codes`` (N,)."""

    def __init__(self, captions: Sequence[CaptionWords], codes: NDArray[np.integer], caption_count: int) -> None:
        self._captions, self._codes, self._count = captions, codes, caption_count

    def __len__(self) -> int:
        return len(self._codes)

    def check(self, operator: str, value: float | str) -> None:
        """Raises: BadSetting."""
        if operator != "contains" or not isinstance(value, str):
            raise BadSetting("a caption can only be searched with contains and words in quotes", where="where",
                             fix='Write it like: caption contains "red cat".')
        parse_query(value)

    def matching(self, operator: str, value: float | str) -> _Mask:
        """Raises: BadSetting."""
        self.check(operator, value)
        return self.spread([captions.find(str(value)) for captions in self._captions], False)

    def count(self, query: str) -> int:
        """How many captions of the datasets hold the words, with or without candidates. Raises: BadSetting."""
        return sum(int(captions.find(query).sum()) for captions in self._captions)

    def spread(self, by_caption: Sequence[NDArray[Any]], missing: Any) -> NDArray[Any]:
        """From values per caption to values per candidate; ``missing`` where a candidate's caption is unknown."""
        dtype = by_caption[0].dtype if by_caption else np.asarray(missing).dtype
        # The last place is that of code -1.
        values = np.full(self._count + 1, missing, dtype)
        for captions, given in zip(self._captions, by_caption, strict=True):
            known = captions.codes >= 0
            values[captions.codes[known]] = given[known]
        found: NDArray[Any] = values[self._codes]
        return found

    def numbers(self, name: str) -> NDArray[np.int32]:
        """``lengths``, ``word_counts`` or ``token_counts`` per candidate, -1 where its caption is unknown."""
        return self.spread([getattr(captions, name) for captions in self._captions], np.int32(-1))
