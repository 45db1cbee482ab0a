"""Pairs of perceptual hashes that are nearly equal: all of them, however many hashes there are.

Knows no candidate, no score and no rule.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Keys = NDArray[np.uint64]
_Rows = NDArray[np.int64]
_Band = tuple[_Keys, int]

HASH_BITS = 64
_MOST_AGREEING = 4
# What sorting costs a row, in comparisons of a pair.
_ROW_COST = 0.6
_PAIRS_AT_ONCE = 1 << 20
_REMEMBERED = 2
_THREADS = min(os.cpu_count() or 1, 4)


class HashTable:
    """Which hashes are equal or near, so that a rule only looks at the rows that resemble any other.

    Shapes: ``code`` (N,) numbers the distinct hashes; ``left`` and ``right`` (P,) are the codes of each near pair;
    ``resembles`` (N,) bool says which rows have an equal or near one.
    """

    def __init__(self, hashes: _Keys, radius_bits: int) -> None:
        distinct, code, count = np.unique(hashes, return_inverse=True, return_counts=True)
        self.code = code.astype(np.int32)
        self.left, self.right = near_pairs(distinct, radius_bits)
        resembles = count > 1
        resembles[self.left] = resembles[self.right] = True
        self.resembles = resembles[self.code]


def hash_table(hashes: _Keys, radius_bits: int) -> HashTable:
    """The table of a column of hashes; the latest are kept as long as the columns are, which must not be changed."""
    with _making:
        _known[:] = [entry for entry in _known if entry[0]() is not None]
        for column, radius, table in _known:
            if column() is hashes and radius == radius_bits:
                return table
        table = HashTable(hashes, radius_bits)
        _known.append((weakref.ref(hashes), radius_bits, table))
        del _known[:-_REMEMBERED]
        return table


_making = threading.Lock()
_known: list[tuple[Any, int, HashTable]] = []


def near_pairs(hashes: _Keys, radius_bits: int) -> tuple[_Rows, _Rows]:
    """All pairs of hashes at most this many bits apart, as two arrays of positions, the smaller first, each pair once.

    The bits are cut into radius + a bands: hashes that differ in at most radius bits agree in ``a`` of them, so
    comparing those that agree in some ``a`` bands finds every pair. More bands to agree in mean fewer pairs to compare
    and more ways to choose the bands; the number of hashes decides.
    """
    count = np.uint64(max(len(hashes), 1))
    agreeing = min(range(1, _MOST_AGREEING + 1), key=lambda few: _cost(len(hashes), radius_bits, few))

    def compared(chosen: tuple[_Band, ...]) -> _Keys:
        found = [np.empty(0, np.uint64)]
        for left, right in _equal_pairs(chosen):
            near = np.bitwise_count(hashes[left] ^ hashes[right]) <= radius_bits
            low, high = np.minimum(left[near], right[near]), np.maximum(left[near], right[near])
            found.append(low.astype(np.uint64) * count + high.astype(np.uint64))
        return np.concatenate(found)

    ways = combinations(_bands(hashes, radius_bits + agreeing), agreeing)
    with ThreadPoolExecutor(_THREADS) as pool:
        codes = np.unique(np.concatenate(list(pool.map(compared, ways))))
    return (codes // count).astype(np.int64), (codes % count).astype(np.int64)


def _cost(rows: int, radius_bits: int, agreeing: int) -> float:
    bits = HASH_BITS * agreeing // (radius_bits + agreeing)
    return comb(radius_bits + agreeing, agreeing) * rows * (_ROW_COST + rows / 2.0 ** (bits + 1))


def _bands(hashes: _Keys, count: int) -> list[_Band]:
    """The bits cut into so many bands: the values of each band, (N,), and how many bits it has."""
    edges = np.linspace(0, HASH_BITS, count + 1).round().astype(int).tolist()
    return [((hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1), high - low)
            for low, high in zip(edges[:-1], edges[1:], strict=True)]


def _equal_pairs(bands: tuple[_Band, ...]) -> Iterator[tuple[_Rows, _Rows]]:
    """Positions of all pairs that are equal in these bands, in pieces of bounded size."""
    rows = len(bands[0][0])
    place_bits = max(rows - 1, 1).bit_length()
    # Value and position in one number: sorting numbers is several times as fast as sorting positions by them. What does
    # not fit is left out, which only lets more pairs through to be compared.
    packed, room = np.zeros(rows, np.uint64), HASH_BITS - place_bits
    for values, bits in bands:
        taken = min(bits, room)
        packed = (packed << np.uint64(taken)) | (values & np.uint64((1 << taken) - 1))
        room -= taken
    packed = (packed << np.uint64(place_bits)) | np.arange(rows, dtype=np.uint64)
    packed.sort()
    places = np.uint64((1 << place_bits) - 1)
    at, distance = np.flatnonzero((packed[1:] ^ packed[:-1]) <= places), 1
    while len(at):
        for start in range(0, len(at), _PAIRS_AT_ONCE):
            piece = at[start : start + _PAIRS_AT_ONCE]
            yield (packed[piece] & places).astype(np.int64), (packed[piece + distance] & places).astype(np.int64)
        distance += 1
        at = at[at + distance < rows]
        at = at[(packed[at] ^ packed[at + distance]) <= places]
