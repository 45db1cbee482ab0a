"""Whether two clouds of embeddings lie in one another, where a flat map leaves a doubt. Knows arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison.distances import normalised
from synthvlm_ui.errors import EmptyInput

MAP_MAX_ROWS = 1000  # of each set: SynthVLM's appendix maps 1,000 of each


def sample_rows(count: int, limit: int, seed: int) -> NDArray[np.int64]:
    """Which of ``count`` rows are taken, ascending: all, or a seeded sample of ``limit``."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def nearest_neighbour_share(first: NDArray[np.floating], second: NDArray[np.floating], seed: int = 0) -> float:
    """The share of rows whose nearest other row, by cosine, is of their own set: 0.5 when two equally large sets cannot
    be told apart, 1 when they do not touch (the leave-one-out 1-NN test of Lopez-Paz and Oquab 2017).

    The larger set is thinned to the size of the smaller. Shapes: (N, D), (M, D), at least 2 rows each.
    Raises: EmptyInput.
    """
    size = min(len(first), len(second), MAP_MAX_ROWS)
    if size < 2:
        raise EmptyInput("a set with fewer than two rows has no neighbours", fix="Take larger sets.")
    rows = np.concatenate([normalised(one)[sample_rows(len(one), size, seed)] for one in (first, second)])
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    mine = np.arange(2 * size) < size
    # Equal rows of both sets are equally near: each counts as half, whichever stands first in memory.
    best = likeness.max(1, keepdims=True)
    nearest = likeness >= best - 1e-12
    own = (nearest & (mine[:, None] == mine[None, :])).sum(1) / nearest.sum(1)
    return float(own.mean())
