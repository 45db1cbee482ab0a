"""Pairs of embeddings that point almost the same way.

Exact up to EXACT_ROWS; beyond that rows are compared within cells around drawn pivots, each row in the cells of its
nearest pivots, which loses a pair only when its two rows share none of them. Knows no image and no score.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_Rows = NDArray[np.int64]
_Vectors = NDArray[np.float32]

EXACT_ROWS = 20_000
CELL_ROWS = 1_000
NEAREST_CELLS = 3
_BLOCK_ROWS = 2048
_SEED = 0


def near_vector_pairs(vectors: NDArray[np.floating], cosine: float) -> tuple[_Rows, _Rows]:
    """All pairs of rows whose cosine is at least this, as two arrays of positions, the smaller first, each pair once.

    Rows that are NaN or zero are near nothing. Shapes: (N, D) -> two (P,).
    """
    unit = _unit(vectors)
    if len(unit) <= EXACT_ROWS:
        found = list(_pairs_within(unit, np.arange(len(unit)), cosine))
    else:
        found = [pair for members in _cells(unit) for pair in _pairs_within(unit, members, cosine)]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    count = np.int64(len(unit))
    codes = np.unique(np.concatenate([left * count + right for left, right in found]))
    return codes // count, codes % count


def _unit(vectors: NDArray[np.floating]) -> _Vectors:
    unit = np.nan_to_num(np.asarray(vectors, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    length = np.linalg.norm(unit, axis=1, keepdims=True)
    scaled: _Vectors = np.divide(unit, np.where(length > 0, length, 1), dtype=np.float32)
    return scaled


def _pairs_within(unit: _Vectors, members: _Rows, cosine: float) -> Iterator[tuple[_Rows, _Rows]]:
    """``members`` ascending; pairs come in blocks of bounded size."""
    chosen = unit[members]
    for start in range(0, len(members), _BLOCK_ROWS):
        block = chosen[start : start + _BLOCK_ROWS]
        left, right = np.nonzero(block @ chosen[start:].T >= np.float32(cosine))
        later = right > left
        if later.any():
            yield members[start + left[later]], members[start + right[later]]


def _cells(unit: _Vectors) -> Iterator[_Rows]:
    count = -(-len(unit) // CELL_ROWS)
    pivots = unit[np.random.default_rng(_SEED).choice(len(unit), count, replace=False)]
    nearest = min(NEAREST_CELLS, count)
    cell = np.empty((len(unit), nearest), np.int32)
    for start in range(0, len(unit), _BLOCK_ROWS):
        likeness = unit[start : start + _BLOCK_ROWS] @ pivots.T
        cell[start : start + _BLOCK_ROWS] = np.argpartition(-likeness, nearest - 1, axis=1)[:, :nearest]
    flat, rows = cell.ravel(), np.repeat(np.arange(len(unit)), nearest)
    order = np.argsort(flat, kind="stable")
    yield from np.split(rows[order], np.flatnonzero(np.diff(flat[order])) + 1)
