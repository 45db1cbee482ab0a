"""How much a caption repeats itself: runs of ten characters, and runs of ten words.

Definitions: SynthVLM appendix, table 1, as its filters compute them. Characters: of all runs in the caption, the share
that is one of the k most frequent, k = min(floor(sqrt(distinct runs)), distinct runs that are repeated). Words: the
share of runs that come more than once; a caption of fewer words than a run has 0.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from synthvlm_ui.captions.rules.characters import is_special
from synthvlm_ui.captions.rules.hashing import Repeats, windows
from synthvlm_ui.captions.rules.rule import Options, Parameter, Rule, Span, Statistic, merged, shares
from synthvlm_ui.captions.rules.text_block import TextBlock

RUN = {"n": Parameter("whole", "how many in a row make a run", 10)}


def _characters(block: TextBlock, options: Options) -> Statistic:
    n, raw = int(options["n"]), block.raw
    counts = np.maximum(raw.lengths - n + 1, 0)
    hashes = windows(raw.values, n)
    # Runs that reach into the next caption are left out: +1 where a caption's runs begin, -1 after their last.
    edges = np.zeros(len(hashes) + 1, dtype=np.int32)
    some = counts > 0
    np.add.at(edges, raw.starts[some], 1)
    np.add.at(edges, raw.starts[some] + counts[some], -1)
    inside = np.cumsum(edges[:-1]) > 0
    repeats = Repeats(hashes[inside], np.repeat(np.arange(len(block)), counts), len(block))
    return shares(repeats.most_frequent_total(), counts)


def _words(block: TextBlock, options: Options) -> Statistic:
    n, words = int(options["n"]), block.lowered.refined_words
    counts = np.maximum(words.counts - n + 1, 0)
    if not counts.any():
        return np.zeros(len(block))
    hashes = windows(words.hashes, n)
    inside = words.owner[: len(hashes)] == words.owner[n - 1:]
    repeats = Repeats(hashes[inside], words.owner[: len(hashes)][inside], len(block))
    return shares(repeats.repeated_total(), counts)


def _mark_characters(text: str, options: Options) -> list[Span]:
    n = int(options["n"])
    found = Counter(text[place: place + n] for place in range(len(text) - n + 1))
    return merged([(place, place + n) for place in range(len(text) - n + 1) if found[text[place: place + n]] > 1])


def _mark_words(text: str, options: Options) -> list[Span]:
    n, places = int(options["n"]), refined_places(text)
    words = [text[start:end].lower() for start, end in places]
    runs = [tuple(words[place: place + n]) for place in range(len(words) - n + 1)]
    found = Counter(runs)
    return merged([(places[place][0], places[place + n - 1][1]) for place, run in enumerate(runs) if found[run] > 1])


def refined_places(text: str) -> list[Span]:
    """Where the words of one caption stand, without special characters at their ends."""
    places, start = [], 0
    for word in text.replace("\n", " ").replace("\t", " ").split(" "):
        first, last = start, start + len(word)
        while first < last and is_special(text[first]):
            first += 1
        while last > first and is_special(text[last - 1]):
            last -= 1
        if last > first:
            places.append((first, last))
        start += len(word) + 1
    return places


CHARACTER_RULE = Rule(
    "character_repetition", "Repeated characters", "Share of ten-character runs that the caption says again and again.",
    parameters=RUN, measure=_characters, mark=_mark_characters)
WORD_RULE = Rule(
    "word_repetition", "Repeated words", "Share of ten-word runs that come more than once.",
    parameters=RUN, measure=_words, mark=_mark_words)
