"""The rules' definitions written down once more, one caption at a time, in plain Python: what the arrays must equal."""

from __future__ import annotations

import math
from collections import Counter

from synthvlm_ui.captions.rules.characters import is_special


def alphanumeric(text: str) -> float:
    return sum(one.isalnum() for one in text) / len(text) if text else 0.0


def special(text: str) -> float:
    return sum(is_special(one) for one in text) / len(text) if text else 0.0


def character_repetition(text: str, n: int = 10) -> float:
    runs = sorted(Counter(text[place: place + n] for place in range(len(text) - n + 1)).values(), reverse=True)
    if not runs:
        return 0.0
    k = min(int(math.sqrt(len(runs))), sum(count > 1 for count in runs))
    return sum(runs[:k]) / sum(runs)


def refined(text: str) -> list[str]:
    words = []
    for word in text.replace("\n", " ").replace("\t", " ").split(" "):
        while word and is_special(word[0]):
            word = word[1:]
        while word and is_special(word[-1]):
            word = word[:-1]
        if word:
            words.append(word)
    return words


def word_repetition(text: str, n: int = 10) -> float:
    words = refined(text.lower())
    runs = Counter(tuple(words[place: place + n]) for place in range(len(words) - n + 1))
    total = sum(runs.values())
    return sum(count for count in runs.values() if count > 1) / total if total else 0.0


def flagged(text: str, listed: frozenset[str]) -> float:
    words = refined(text.lower())
    return sum(word in listed for word in words) / len(words) if words else 0.0
