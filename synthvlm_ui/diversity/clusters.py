"""K-means on unit rows: fits with many starts, and the cluster of every row under several fits in one pass.

Lloyd's iterations and k-means++ are scikit-learn's. Knows no captions, no images and no set names.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity.rows import FloatRows, Mask, Rows, chunks, distinct_rows, unit
from synthvlm_ui.diversity.threads import side_by_side
from synthvlm_ui.errors import BadSetting

Codes = NDArray[np.int16]

DEFAULT_K = 20
DEFAULT_FITS = 5
STARTS = 10
MAX_K = 1000
TRIAL_ROWS = 10_000
TRIAL_ITERATIONS = 15
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Fit:
    """One k-means. Shapes: ``centroids`` and ``start`` (K, D) float32; ``inertia`` is the sum over the sample of the
    squared distances to the nearest centroid (WCSS)."""

    centroids: FloatRows
    inertia: float
    start: FloatRows
    iterations: int

    @property
    def k(self) -> int:
        return len(self.centroids)


def check_enough(sample: FloatRows, k: int) -> None:
    """Raises BadSetting when K is out of range or the sample has fewer different rows than clusters."""
    if not 2 <= k <= MAX_K:
        raise BadSetting(f"k {k} is not from 2 to {MAX_K}", where="--k", fix="Give another number of clusters.")
    found = distinct_rows(sample, k)
    if found < k:
        what = "all rows are equal" if found == 1 else f"there are only {found} different rows"
        raise BadSetting(f"{what}, which cannot make {k} clusters", where="--k",
                         fix="Give fewer clusters or more captions.")


def fit_kmeans(sample: FloatRows, k: int, *, seeds: Sequence[int] = (0,), starts: int = STARTS) -> Iterator[Fit]:
    """For each seed a k-means by Lloyd's algorithm from the best of ``starts`` k-means++ starts, as soon as it is done.

    Every start is tried on the first TRIAL_ROWS rows of the sample (which is in random order) for some iterations; the
    one with the least inertia goes on over the whole sample until it converges. That is n_init = ``starts`` at the
    price of little more than one. Raises: BadSetting.
    """
    check_enough(sample, k)
    trial = sample[:TRIAL_ROWS]

    def tried(which: tuple[int, int]) -> Fit:
        return lloyd(trial, plus_plus(trial, k, np.random.default_rng([*which, k])), iterations=TRIAL_ITERATIONS)

    trials = list(side_by_side(tried, [(seed, start) for seed in seeds for start in range(starts)]))
    best = [min(trials[place : place + starts], key=lambda fit: fit.inertia)
            for place in range(0, len(trials), starts)]
    yield from side_by_side(lambda fit: lloyd(sample, fit.centroids), best)


def plus_plus(rows: FloatRows, k: int, random: np.random.Generator) -> FloatRows:
    """K rows far from each other (Arthur and Vassilvitskii 2007; of 2 + ln K draws the best at each step, as they
    suggest and scikit-learn does). Rows of norm 1, so that a squared distance is 2 - 2 cosine."""
    draws = 2 + int(np.log(k))
    chosen = [int(random.integers(len(rows)))]
    squares = np.maximum(0, 2 - 2 * (rows @ rows[chosen[0]]))
    for _ in range(1, k):
        ladder = np.cumsum(squares, dtype=np.float64)
        drawn = np.searchsorted(ladder, random.random(draws) * ladder[-1], side="right").clip(max=len(rows) - 1)
        left = np.minimum(squares, np.maximum(0, 2 - 2 * (rows[drawn] @ rows.T)))
        best = int(left.sum(axis=1).argmin())
        chosen.append(int(drawn[best]))
        squares = left[best]
    return rows[chosen]


def lloyd(sample: FloatRows, start: FloatRows, *, iterations: int = 300, tolerance: float = TOLERANCE) -> Fit:
    """Lloyd's algorithm from given centroids until it converges."""
    from sklearn.cluster import KMeans

    with _few_distinct_rows_are_checked_before():
        done = KMeans(len(start), init=start, n_init=1, max_iter=iterations, tol=tolerance).fit(sample)
    return Fit(np.asarray(done.cluster_centers_, np.float32), float(done.inertia_), np.asarray(start, np.float32),
               int(done.n_iter_))


def nearest(rows: Rows, mask: Mask, fits: Sequence[Fit]) -> tuple[Codes, NDArray[np.float32]]:
    """The cluster of every row under every fit, -1 where the mask is False.

    Shapes: codes (F, N) int16; the cosine of each row with its centroid under the first fit, (N,) float32, NaN where
    there is none. One product per chunk serves all fits, so five cost little more than one.
    """
    centroids = np.concatenate([fit.centroids for fit in fits])
    half_squares = 0.5 * np.einsum("kd,kd->k", centroids, centroids)
    ends = np.cumsum([0, *(fit.k for fit in fits)])
    lengths = np.sqrt(2 * half_squares[: fits[0].k])
    codes = np.full((len(fits), len(rows)), -1, np.int16)
    closeness = np.full(len(rows), np.nan, np.float32)

    def assign(part: slice) -> None:
        places = np.flatnonzero(mask[part]) + part.start
        if not len(places):
            return
        whole = len(places) == part.stop - part.start
        products = unit(rows[part] if whole else rows[places]) @ centroids.T
        scores = products - half_squares
        for number, (low, high) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            codes[number, places] = scores[:, low:high].argmax(axis=1)
        chosen = codes[0, places]
        closeness[places] = products[np.arange(len(places)), chosen] / np.maximum(lengths[chosen], 1e-12)

    for _ in side_by_side(assign, chunks(len(rows))):
        pass
    return codes, closeness


@contextmanager
def _few_distinct_rows_are_checked_before() -> Iterator[None]:
    """A trial on part of the rows may have fewer different ones than clusters; the whole sample was checked."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
