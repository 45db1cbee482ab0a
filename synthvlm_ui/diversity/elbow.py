"""The elbow: within-cluster sum of squares (WCSS) over the number of clusters, and where its curve bends.

Synth2 appendix A.3 chose K = 20 this way. Knows no sets: it is given a sample of unit rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from synthvlm_ui.diversity.clusters import Fit, lloyd, plus_plus
from synthvlm_ui.diversity.rows import FloatRows, distinct_rows
from synthvlm_ui.diversity.threads import side_by_side
from synthvlm_ui.errors import BadSetting

ELBOW_ROWS = 20_000
LEAST_K, MOST_K = 2, 40
_STARTS = 2
_ITERATIONS = 60


def check_range(low: int, high: int) -> None:
    """Raises BadSetting when there is no curve from ``low`` to ``high``."""
    if not 1 <= low < high <= 200:
        raise BadSetting(f"an elbow from {low} to {high} is no range", where="--elbow",
                         fix="Give MIN:MAX with 1 <= MIN < MAX <= 200, such as 2:40.")


def wcss_curve(sample: FloatRows, low: int = LEAST_K, high: int = MOST_K, *,
               seed: int = 0) -> Iterator[tuple[int, float]]:
    """(K, WCSS) for K from ``low`` to ``high``, each as soon as it is known.

    Uses the first ELBOW_ROWS rows of the sample. Each K is the best of some k-means++ starts and of the fit before it
    with one more centroid (the row farthest from all others), so the curve never rises. It ends at the number of
    different rows, if that is less than ``high``. Raises: BadSetting.
    """
    check_range(low, high)
    rows = sample[:ELBOW_ROWS]
    high = min(high, distinct_rows(rows, high))
    if high <= low:
        raise BadSetting(f"there are only {high} different rows, too few for an elbow from {low}", where="--elbow",
                         fix="Leave it out, or start it lower.")
    before: Fit | None = None
    for k in range(low, high + 1):
        fits = side_by_side(partial(_from_start, rows, k, before), [[seed, k, number] for number in range(_STARTS + 1)])
        before = min(fits, key=lambda fit: fit.inertia)
        yield k, before.inertia


def _from_start(rows: FloatRows, k: int, before: Fit | None, seed: list[int]) -> Fit:
    """One run: from the fit before and one more centroid when the seed's last number is 0, else from k-means++."""
    if before is not None and seed[-1] == 0:
        return lloyd(rows, np.concatenate([before.centroids, _farthest(rows, before)]), iterations=_ITERATIONS)
    return lloyd(rows, plus_plus(rows, k, np.random.default_rng([*seed, 0xE1B])), iterations=_ITERATIONS)


def knee(ks: Sequence[int], wcss: Sequence[float]) -> int | None:
    """The K farthest below the straight line between the ends of the curve, None for fewer than three points.

    Both axes are scaled to [0, 1] first (the idea of Kneedle, Satopaa et al. 2011, for a convex falling curve).
    """
    if len(ks) < 3:
        return None
    x = (np.asarray(ks, float) - ks[0]) / (ks[-1] - ks[0])
    height = wcss[0] - wcss[-1]
    if height <= 0:
        return None
    y = (np.asarray(wcss, float) - wcss[-1]) / height
    return int(ks[int(np.argmax(1 - x - y))])


def _farthest(rows: FloatRows, fit: Fit) -> FloatRows:
    squares = np.einsum("kd,kd->k", fit.centroids, fit.centroids)
    distances = (squares - 2 * rows @ fit.centroids.T).min(axis=1)
    return rows[[int(distances.argmax())]]
