"""Finds the words of a prompt that a model with a small vocabulary does not know.

Knows no file and no model: the caller brings the words.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")


def unknown_words(text: str, words: Collection[str]) -> list[tuple[int, int, str]]:
    """Every word of the text that is not among the words, as (start, end, word) in the order of the text.

    Case does not matter; a hyphenated word is known when it is listed whole or when all its parts are. Pass ``words``
    as a lower-case frozenset when calling on every key press.
    """
    known = words if isinstance(words, frozenset) else frozenset(word.casefold() for word in words)
    found = []
    for match in _WORD.finditer(text):
        word = match.group().casefold()
        if word not in known and not all(part in known for part in word.split("-")):
            found.append((match.start(), match.end(), match.group()))
    return found
