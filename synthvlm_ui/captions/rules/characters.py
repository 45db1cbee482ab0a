"""What every Unicode character counts as: letter or digit, special, or between words.

Knows no caption. The set of special characters is data with named sources, in assets/captions/special_characters.json.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.config import ASSETS

CODE_POINTS = 0x110000
ALPHANUMERIC, SPECIAL, SEPARATOR = 1, 2, 4
SEPARATORS = " \n\t"
SPECIAL_CHARACTERS_FILE = ASSETS / "captions" / "special_characters.json"


@lru_cache(maxsize=1)
def character_classes() -> NDArray[np.uint8]:
    """The bits of ALPHANUMERIC (``str.isalnum``), SPECIAL and SEPARATOR for every code point. Shape (0x110000,)."""
    classes = np.zeros(CODE_POINTS, dtype=np.uint8)
    characters = np.arange(CODE_POINTS, dtype=np.uint32).view("U1")
    classes[np.strings.isalnum(characters)] |= ALPHANUMERIC
    described = json.loads(SPECIAL_CHARACTERS_FILE.read_text(encoding="utf-8"))
    for kind in ("ascii", "symbols", "emoji"):
        for span in described[kind]["ranges"].split():
            first, _, last = span.partition("-")
            classes[int(first, 16): int(last or first, 16) + 1] |= SPECIAL
    for separator in SEPARATORS:
        classes[ord(separator)] |= SEPARATOR
    return classes


def is_special(character: str) -> bool:
    """Whether one character counts as special."""
    return bool(character_classes()[ord(character)] & SPECIAL)
