"""Near duplicates by perceptual hash or embedding, and caps per group: who stays when several are alike.

Knows no score: the keys of ``ranking`` say who is better. Hashes are compared exactly, however many there are;
embeddings as ``near_vectors`` says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.selection.near_hashes import hash_table
from synthvlm_ui.selection.near_vectors import near_vector_pairs
from synthvlm_ui.selection.ranking import best_first

_Keys = NDArray[np.uint64]
_Rows = NDArray[np.int64]

# Copies that were recompressed, rescaled, brightened or noised differ in 0 to 2 bits, those with 2 % cut off at each
# side in up to 8; of fifty million pairs of other pictures one differs in 10 (tests/benchmarks/curate.py).
DUPLICATE_RADIUS_BITS = 8


def without_duplicates(hashes: NDArray[np.uint64], keys: _Keys, forced: NDArray[np.bool_], rows: _Rows,
                       radius_bits: int = DUPLICATE_RADIUS_BITS) -> _Rows:
    """The rows that stay when each, best first, is dropped if its hash is within the radius of one that stayed.

    Rows that are ``forced`` stay whatever they resemble. Shapes: hashes, keys and forced (N,), rows (M,) -> (K,).
    """
    table = hash_table(hashes, radius_bits)
    alike = table.resembles[rows]
    some = best_first(keys, rows[alike], forced)
    codes, first = np.unique(table.code[some], return_index=True)
    place = np.full(int(table.code.max(initial=0)) + 1, -1, np.int64)
    place[codes] = first
    # Positions in best-first order stand for the candidates: the smaller of a pair is the better.
    left, right = place[table.left], place[table.right]
    there = (left >= 0) & (right >= 0)
    better, worse = np.minimum(left[there], right[there]), np.maximum(left[there], right[there])
    forced_count = int(forced[some].sum())
    stays = np.zeros(len(some), bool)
    stays[first] = True
    stays[:forced_count] = True
    _drop_worse(stays, better, worse, forced_count)
    return np.sort(np.concatenate((rows[~alike], some[stays])))


def without_similar(vectors: NDArray[np.floating], keys: _Keys, forced: NDArray[np.bool_], rows: _Rows,
                    cosine: float) -> _Rows:
    """As ``without_duplicates``, for embeddings whose cosine is at least this. Shapes: vectors (N, D)."""
    rows = best_first(keys, rows, forced)
    better, worse = near_vector_pairs(vectors[rows], cosine)
    forced_count = int(forced[rows].sum())
    stays = np.ones(len(rows), bool)
    _drop_worse(stays, better, worse, forced_count)
    return np.sort(rows[stays])


def best_in_group(groups: NDArray[np.integer], keys: _Keys, forced: NDArray[np.bool_], rows: _Rows,
                  most: int) -> _Rows:
    """The best rows of each group, at most this many; forced rows come first, and stay even beyond it."""
    if not len(rows):
        return rows
    if most == 1:
        return _best_of_each(groups, keys, forced, rows)
    ordered = best_first(keys, rows, forced)
    group = groups[ordered] - groups[ordered].min()
    # numpy sorts 16-bit integers in linear time, and clusters are few.
    by_group = np.argsort(group.astype(np.uint16) if group.max() < 1 << 16 else group, kind="stable")
    group = group[by_group]
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    place = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    kept = ordered[by_group]
    return np.sort(kept[(place < most) | forced[kept]])


def _best_of_each(groups: NDArray[np.integer], keys: _Keys, forced: NDArray[np.bool_], rows: _Rows) -> _Rows:
    """One row of each group, without sorting; where some are forced, those."""
    settled = np.zeros(int(groups[rows].max()) + 1, bool)
    is_forced = forced[rows]
    held = rows[is_forced]
    settled[groups[held]] = True
    free = rows[~is_forced]
    free = free[~settled[groups[free]]]
    group, key = groups[free], keys[free]
    best = np.zeros(len(settled), np.uint64)
    np.maximum.at(best, group, key)
    return np.concatenate((held, free[key == best[group]]))


def _drop_worse(stays: NDArray[np.bool_], better: _Rows, worse: _Rows, forced: int) -> None:
    """Settles who stays, best first: whoever has no better neighbour left stays and drops its worse neighbours."""
    open_ = worse >= forced
    better, worse = better[open_], worse[open_]
    while len(better):
        waiting = np.zeros(len(stays), bool)
        waiting[worse] = True
        settled = ~waiting[better]
        stays[worse[settled]] = False
        left = stays[better] & stays[worse] & ~settled
        better, worse = better[left], worse[left]
