"""What a threshold does to diversity, and how many rows each cluster lacks. Knows no scores' meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity.clusters import Codes
from synthvlm_ui.diversity.measures import Counts, entropy_bits

MIN_ROWS = 5


def entropy_by_cut(codes: Codes, scores: NDArray[Any], k: int, points: int = 60) -> list[dict[str, float]]:
    """Entropy of the rows that pass, for thresholds at even steps of the kept share, from all rows to few.

    Shapes: codes and scores (N,); rows without a cluster or a score take no part. Each point has threshold, kept,
    share and entropy_bits. A threshold is a score that occurs, so that ``score >= threshold`` keeps exactly those rows.
    """
    known = (codes >= 0) & np.isfinite(scores)
    values, clusters = np.asarray(scores)[known], codes[known]
    if not len(values):
        return []
    order = np.argsort(-values, kind="stable")
    values, clusters = values[order], clusters[order]
    wanted = np.unique(np.linspace(len(values), MIN_ROWS, points).round().astype(int))[::-1]
    found, counts, done = [], np.zeros(k, np.int64), 0
    for kept in sorted({_end_of_ties(values, int(each)) for each in wanted if each <= len(values)}):
        counts += np.bincount(clusters[done:kept], minlength=k)
        done = kept
        found.append({"threshold": float(values[kept - 1]), "kept": kept, "share": kept / len(values),
                      "entropy_bits": entropy_bits(counts)})
    return found[::-1]


def _end_of_ties(descending: NDArray[Any], kept: int) -> int:
    """How many rows pass a threshold of the score at place ``kept``: all with that score."""
    return int(len(descending) - np.searchsorted(descending[::-1], descending[kept - 1], side="left"))


def fill_up(counts: Counts, more: int) -> Counts:
    """How ``more`` rows are best spread over the clusters so that the smallest grow first (water filling).

    Of all ways to add them this one gives the highest entropy. Shapes: (K,) int64 to (K,) int64 whose sum is ``more``.
    """
    added = np.zeros_like(counts)
    order = np.argsort(counts, kind="stable")
    levels = counts[order]
    room = more
    for place in range(len(order)):
        up_to = levels[place + 1] if place + 1 < len(order) else None
        step = room if up_to is None else min(room, int(up_to - levels[place]) * (place + 1))
        each, rest = divmod(step, place + 1)
        added[order[: place + 1]] += each
        added[order[:rest]] += 1
        room -= step
        if not room:
            break
    return added
