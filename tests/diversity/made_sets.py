"""Sets of embeddings whose cluster sizes are known: rows scattered closely around orthogonal directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

K = 20
# Synth2 Table 8: name -> (top-3, top-5, entropy in bits), as printed.
TABLE_8 = {"GenPair": (40.5, 57.7, 3.81), "WebLI": (58.2, 69.8, 3.43), "LTIP": (76.5, 83.0, 2.92)}


def entropy(shares: NDArray[np.float64]) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def sizes_of(top3: float, top5: float, bits: float, rows: int = 20_000) -> NDArray[np.int64]:
    """20 cluster sizes with these percentages and, by how steeply they fall, this entropy."""
    def shares(steepness: float) -> NDArray[np.float64]:
        tail = np.exp(-steepness * np.arange(15))
        tail *= (1 - top5 / 100) / tail.sum()
        first = np.exp(-2 * steepness * np.arange(3))
        first *= top3 / 100 / first.sum()
        return np.concatenate([first, np.full(2, (top5 - top3) / 200), tail])

    low, high = 0.0, 0.2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if entropy(shares(middle)) > bits else (low, middle)
    found = shares(low)
    assert (np.diff(found) <= 0).all() and abs(entropy(found) - bits) < 0.004
    return np.round(found * rows).astype(np.int64)


def rows_of(sizes: NDArray[np.int64], seed: int, dimensions: int = 32, noise: float = 0.02) -> NDArray[np.float32]:
    """Rows around len(sizes) orthogonal directions, shuffled. Shapes: (sum(sizes), dimensions) float32."""
    chance = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(dimensions, dtype=np.float32)[codes] + noise * chance.normal(size=(len(codes), dimensions))
    return np.asarray(rows[chance.permutation(len(rows))], np.float32)
