"""How well a rule agrees with what people decided: precision and recall with intervals, and a better cut.

Knows neither who decided nor when: it is given the verdicts to go by.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
ENOUGH_OF_EACH = 5

Share = tuple[float, float, float]


@dataclass(frozen=True)
class Judged:
    """``precision`` and ``recall`` are (value, low, high) or None where there is nothing to divide by; ``cut`` is
    (score, precision, recall, F1), or None while there are fewer than ENOUGH_OF_EACH verdicts of each kind."""

    keep: int
    reject: int
    precision: Share | None
    recall: Share | None
    cut: tuple[float, float, float, float] | None


def wilson(hits: int, of: int, z: float = Z_95) -> Share:
    """A share with its score interval (Wilson 1927), which stays inside [0, 1] and holds for few trials too."""
    share, spread = hits / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return share, max(0.0, middle - half), min(1.0, middle + half)


def judge(verdict: NDArray[np.integer], passed: NDArray[np.bool_], score: NDArray[np.floating]) -> Judged:
    """What the verdicts (+1 keep, -1 reject, 0 none) say of a rule that passes these rows, and of a cut by the score.

    Precision: of the judged rows that pass, the share people keep. Recall: of the rows people keep, the share that
    passes. Shapes: all (N,).
    """
    rows = np.flatnonzero(verdict)
    wanted, passes = verdict[rows] > 0, passed[rows]
    hits, passing, keep = int((wanted & passes).sum()), int(passes.sum()), int(wanted.sum())
    return Judged(keep, len(rows) - keep, wilson(hits, passing) if passing else None,
                  wilson(hits, keep) if keep else None, _best_cut(wanted, score[rows]))


def _best_cut(wanted: NDArray[np.bool_], score: NDArray[np.floating]) -> tuple[float, float, float, float] | None:
    """The lowest of the scores that, as a threshold, gives the highest F1 against the verdicts."""
    known = np.isfinite(score)
    wanted, score = wanted[known], score[known]
    if min(int(wanted.sum()), int((~wanted).sum())) < ENOUGH_OF_EACH:
        return None
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(wanted[order])
    kept = np.arange(1, len(score) + 1)
    # A threshold keeps all rows of one score or none.
    last = np.flatnonzero(np.r_[score[1:] != score[:-1], True])
    f1 = 2 * hits[last] / (kept[last] + hits[-1])
    best = last[len(f1) - 1 - int(np.argmax(f1[::-1]))]
    return (float(score[best]), float(hits[best] / kept[best]), float(hits[best] / hits[-1]),
            float(2 * hits[best] / (kept[best] + hits[-1])))
