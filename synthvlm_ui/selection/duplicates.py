"""Near duplicates by perceptual hash or embedding, and caps per group: who stays when several are alike.

Knows no score: the keys of ``ranking`` say who is better. Hashes are compared exactly, however many there are;
embeddings as ``near_vectors`` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.selection.near_vectors import near_vector_pairs
from synthvlm_ui.selection.ranking import best_first

_Keys = NDArray[np.uint64]
_Rows = NDArray[np.int64]

# Copies that were recompressed, rescaled, brightened or noised differ in 0 to 2 bits, those with 2 % cut off at each
# side in up to 6, other pictures in 16 and more (tests/benchmarks/curate.py).
DUPLICATE_RADIUS_BITS = 6
_PAIRS_AT_ONCE = 1 << 20


def without_duplicates(hashes: NDArray[np.uint64], keys: _Keys, forced: NDArray[np.bool_], rows: _Rows,
                       radius_bits: int = DUPLICATE_RADIUS_BITS) -> _Rows:
    """The rows that stay when each, best first, is dropped if its hash is within the radius of one that stayed.

    Rows that are ``forced`` stay whatever they resemble. Shapes: hashes, keys and forced (N,), rows (M,) -> (K,).
    """
    rows = best_first(keys, rows, forced)
    _, first = np.unique(hashes[rows], return_index=True)
    left, right = near_pairs(hashes[rows[first]], radius_bits)
    # Positions in best-first order stand for the candidates: the smaller of a pair is the better.
    better, worse = np.minimum(first[left], first[right]), np.maximum(first[left], first[right])
    forced_count = int(forced[rows].sum())
    stays = np.zeros(len(rows), bool)
    stays[first] = True
    stays[:forced_count] = True
    _drop_worse(stays, better, worse, forced_count)
    return np.sort(rows[stays])


def without_similar(vectors: NDArray[np.floating], keys: _Keys, forced: NDArray[np.bool_], rows: _Rows,
                    cosine: float) -> _Rows:
    """As ``without_duplicates``, for embeddings whose cosine is at least this. Shapes: vectors (N, D)."""
    rows = best_first(keys, rows, forced)
    better, worse = near_vector_pairs(vectors[rows], cosine)
    forced_count = int(forced[rows].sum())
    stays = np.ones(len(rows), bool)
    _drop_worse(stays, better, worse, forced_count)
    return np.sort(rows[stays])


def near_pairs(hashes: NDArray[np.uint64], radius_bits: int) -> tuple[_Rows, _Rows]:
    """All pairs of distinct hashes at most this many bits apart, as two arrays of positions, each pair once.

    The 64 bits are cut into radius + 2 bands; hashes that differ in at most radius bits agree in two bands at least,
    so comparing those that agree in some two bands finds every pair.
    """
    found: list[_Keys] = []
    count = np.uint64(len(hashes))
    for mask in _band_masks(radius_bits):
        for left, right in _equal_pairs(hashes & mask):
            near = np.bitwise_count(hashes[left] ^ hashes[right]) <= radius_bits
            low, high = np.minimum(left[near], right[near]), np.maximum(left[near], right[near])
            found.append(low.astype(np.uint64) * count + high.astype(np.uint64))
    codes = np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)
    return (codes // max(count, np.uint64(1))).astype(np.int64), (codes % max(count, np.uint64(1))).astype(np.int64)


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


def _band_masks(radius_bits: int) -> list[np.uint64]:
    edges = np.linspace(0, 64, radius_bits + 3).round().astype(int)
    bands = [sum(1 << bit for bit in range(low, high)) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return [np.uint64(one | other) for one, other in combinations(bands, 2)]


def _equal_pairs(values: _Keys) -> Iterator[tuple[_Rows, _Rows]]:
    """Positions of all pairs of equal values, in pieces of bounded size."""
    order = np.argsort(values)
    ordered = values[order]
    at = np.arange(len(values) - 1)
    distance = 1
    while len(at):
        at = at[at + distance < len(values)]
        at = at[ordered[at] == ordered[at + distance]]
        for start in range(0, len(at), _PAIRS_AT_ONCE):
            piece = at[start : start + _PAIRS_AT_ONCE]
            yield order[piece], order[piece + distance]
        distance += 1


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
