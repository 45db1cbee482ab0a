"""Numbers about columns of scores: percentiles both ways, and how scores go together. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_Sorted = NDArray[np.float32]


def percentile_of(ordered: _Sorted, value: float) -> float:
    """The share of scores below a value, in percent; 0 without scores. Shapes: ordered (N,) ascending, no NaN."""
    return 100.0 * float(np.searchsorted(ordered, np.float32(value), "left")) / len(ordered) if len(ordered) else 0.0


def value_at(ordered: _Sorted, percentile: float) -> float | None:
    """The score below which this many percent of the scores lie: that of place floor(percentile * N / 100), so that
    as a threshold it keeps the rest, ties with it included. None without scores."""
    if not len(ordered):
        return None
    # The tiny term keeps 29 % of 100 from becoming 28.
    place = int(min(max(percentile, 0.0), 100.0) / 100 * len(ordered) + 1e-9)
    return float(ordered[min(place, len(ordered) - 1)])


def correlations(columns: Mapping[str, NDArray[np.float32]]) -> dict[str, list[list[float]]]:
    """Pearson's and Spearman's correlation of every two columns over the rows that have all of them, in their order.

    Spearman's is Pearson's over ranks, ties by row rather than averaged. NaN where a column does not vary.
    """
    table = np.stack([np.asarray(column, np.float64) for column in columns.values()]) if columns else np.zeros((0, 0))
    table = table[:, np.isfinite(table).all(axis=0)]
    ranks = np.empty_like(table)
    for row, values in enumerate(table):
        ranks[row, np.argsort(values)] = np.arange(table.shape[1])
    return {"pearson": _correlation(table), "spearman": _correlation(ranks)}


def _correlation(table: NDArray[np.float64]) -> list[list[float]]:
    if table.shape[1] < 2:
        return [[float("nan")] * len(table) for _ in table]
    centred = table - table.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(length > 0, centred / length, np.nan)
    found: list[list[float]] = np.clip(scaled @ scaled.T, -1, 1).tolist()
    return found
