"""Captions that say almost what an earlier one said: MinHash over runs of five characters, found by banding.

The candidates that share a band are compared exactly, so the statistic is the Jaccard index itself and the sampling
only decides which pairs are looked at: at an index of 0.8 a pair is missed with a chance of 2e-4, at 0.7 of 1 in 80
(64 hashes in 16 bands of 4).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.hashing import Hashes, mixed, windows
from synthvlm_ui.captions.rules.rule import Rule, Span, Statistic
from synthvlm_ui.captions.rules.text_block import TextBlock

SHINGLE = 5
BANDS, ROWS = 16, 4
HASHES = BANDS * ROWS
# Pairs below are not compared: no threshold anybody would set reaches down to here.
LEAST_ESTIMATE = 0.4
_NONE = np.uint32(2**32 - 1)

Signatures = NDArray[np.uint32]


def signatures(block: TextBlock) -> Signatures:
    """The MinHash of each caption; captions shorter than a shingle have none. Shape (captions, 64)."""
    lowered = block.lowered
    found = windows(lowered.values, SHINGLE)
    counts = np.maximum(lowered.lengths - SHINGLE + 1, 0)
    result = np.full((len(block), HASHES), _NONE, dtype=np.uint32)
    some = np.flatnonzero(counts)
    if not len(some):
        return result
    place = np.repeat(lowered.starts[some] - (np.cumsum(counts[some]) - counts[some]), counts[some])
    shingles = found[place + np.arange(len(place))]
    first = np.cumsum(counts[some]) - counts[some]
    for number in range(HASHES):
        hashed = (mixed(shingles ^ _SALTS[number]) >> np.uint64(32)).astype(np.uint32)
        result[some, number] = np.minimum.reduceat(hashed, first)
    return result


_SALTS: Hashes = mixed(np.arange(1, HASHES + 1, dtype=np.uint64) * np.uint64(0x51ED27))


def nearest_earlier(sketches: Signatures, texts: Sequence[str]) -> tuple[Statistic, NDArray[np.int32]]:
    """For each caption the Jaccard index with the most similar earlier one that was found, and which one that is.

    Shapes: (captions,) each; 0 and the caption itself where none was found.
    """
    count = len(texts)
    best = np.zeros(count, dtype=np.float32)
    other = np.arange(count, dtype=np.int32)
    usable = np.flatnonzero(sketches[:, 0] != _NONE)
    for band in range(BANDS):
        part = sketches[usable, band * ROWS: (band + 1) * ROWS].astype(np.uint64)
        keys = mixed(part[:, 0] << np.uint64(32) | part[:, 1]) ^ mixed(part[:, 2] << np.uint64(32) | part[:, 3])
        order = np.argsort(keys, kind="stable")
        same = keys[order[1:]] == keys[order[:-1]]
        later, previous = usable[order[1:]][same], usable[order[:-1]][same]
        starts = np.flatnonzero(np.concatenate([[True], ~same]))
        head = usable[order[np.repeat(starts, np.diff(np.append(starts, len(order))))[1:][same]]]
        for earlier in (previous, head):
            _improve(sketches, later, earlier, best, other)
    similarity = np.zeros(count)
    for one in np.flatnonzero(best >= LEAST_ESTIMATE).tolist():
        similarity[one] = jaccard(texts[one], texts[int(other[one])])
    return similarity, other


def _improve(sketches: Signatures, later: NDArray[np.int64], earlier: NDArray[np.int64], best: NDArray[np.float32],
             other: NDArray[np.int32]) -> None:
    """Takes the pairs whose signatures agree more than those found before. Each ``later`` comes once."""
    for start in range(0, len(later), 1 << 16):
        left, right = later[start: start + (1 << 16)], earlier[start: start + (1 << 16)]
        estimate = (sketches[left] == sketches[right]).mean(axis=1, dtype=np.float32)
        better = estimate > best[left]
        best[left[better]] = estimate[better]
        other[left[better]] = right[better]


def shingles_of(text: str) -> set[str]:
    lowered = text.lower()
    return {lowered[place: place + SHINGLE] for place in range(len(lowered) - SHINGLE + 1)}


def jaccard(left: str, right: str) -> float:
    """Shared over all shingles of two captions."""
    a, b = shingles_of(left), shingles_of(right)
    return len(a & b) / len(a | b) if a or b else 0.0


def mark_shared(text: str, other: str) -> list[Span]:
    """The parts of a caption that stand in another, too."""
    theirs, lowered = shingles_of(other), text.lower()
    spans: list[Span] = []
    for place in range(len(lowered) - SHINGLE + 1):
        if lowered[place: place + SHINGLE] in theirs:
            if spans and spans[-1][1] >= place:
                spans[-1] = (spans[-1][0], place + SHINGLE)
            else:
                spans.append((place, place + SHINGLE))
    return [(start, min(end, len(text))) for start, end in spans]


NEAR_RULE = Rule(
    "near_duplicates", "Almost the same",
    "Similarity with the most similar earlier caption (Jaccard index of five-character runs).", family="duplicates")
