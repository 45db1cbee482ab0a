"""Pairs of perceptual hashes that are nearly equal: all of them, however many hashes there are.

Knows no candidate, no score and no rule.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
# Comparing one hash with a million takes 2 ms, finding all pairs of a million 25 s.
_FEW_NEW = 2_000
_THREADS = min(os.cpu_count() or 1, 4)


@dataclass(frozen=True)
class HashTable:
    """Which hashes are equal or near, so that a rule only looks at the rows that resemble any other.

    Shapes: ``distinct`` (K,) are the hashes without repetition, ascending; ``code`` (N,) says which of them each row
    has; ``left`` and ``right`` (P,) are the codes of each near pair; ``resembles`` (N,) bool says which rows have an
    equal or near one.
    """

    distinct: _Keys
    code: NDArray[np.int32]
    left: _Rows
    right: _Rows
    resembles: NDArray[np.bool_]

    @classmethod
    def of(cls, hashes: _Keys, radius_bits: int, known: HashTable | None = None,
           progress: Callable[[float], None] = lambda _share: None) -> HashTable:
        """The table of these hashes. ``known`` is one of other hashes with the same radius: where only a few are new,
        only those are compared. ``progress`` hears of the share done."""
        distinct, code, count = np.unique(hashes, return_inverse=True, return_counts=True)
        fresh = distinct if known is None else np.setdiff1d(distinct, known.distinct, assume_unique=True)
        if known is not None and len(fresh) <= min(_FEW_NEW, len(distinct) - 1):
            left, right = _pairs_with(fresh, distinct, known, radius_bits)
        else:
            left, right = near_pairs(distinct, radius_bits, progress)
        resembles = count > 1
        resembles[left] = resembles[right] = True
        return cls(distinct, code.astype(np.int32), left, right, resembles[code])


def hash_table(hashes: _Keys, radius_bits: int) -> HashTable:
    """The table of a column of hashes; the latest are kept as long as the columns are, which must not be changed."""
    with _making:
        table = known_table(hashes, radius_bits)
        if table is None:
            table = HashTable.of(hashes, radius_bits)
            remember_table(hashes, radius_bits, table)
        return table


def known_table(hashes: _Keys, radius_bits: int) -> HashTable | None:
    """The table of this column if it is in memory."""
    return next((table for column, radius, table in list(_known)
                 if column() is hashes and radius == radius_bits), None)


def remember_table(hashes: _Keys, radius_bits: int, table: HashTable) -> None:
    """From now on ``hash_table`` finds it."""
    with _keeping:
        kept = [entry for entry in _known if entry[0]() is not None]
        _known[:] = [*kept, (weakref.ref(hashes), radius_bits, table)][-_REMEMBERED:]


_making, _keeping = threading.Lock(), threading.Lock()
_known: list[tuple[Any, int, HashTable]] = []


def _pairs_with(fresh: _Keys, distinct: _Keys, known: HashTable, radius_bits: int) -> tuple[_Rows, _Rows]:
    """The near pairs of ``distinct``, from those of a known table and from comparing what is new with everything."""
    place = np.minimum(np.searchsorted(distinct, known.distinct), len(distinct) - 1)
    place[distinct[place] != known.distinct] = -1  # it is no longer there
    left, right = place[known.left], place[known.right]
    there = (left >= 0) & (right >= 0)
    found = [left[there] * len(distinct) + right[there]]
    for at in np.searchsorted(distinct, fresh):
        near = np.flatnonzero(np.bitwise_count(distinct ^ distinct[at]) <= radius_bits)
        near = near[near != at]
        found.append(np.minimum(near, at) * len(distinct) + np.maximum(near, at))
    codes = np.unique(np.concatenate(found))
    return codes // len(distinct), codes % len(distinct)


def near_pairs(hashes: _Keys, radius_bits: int,
               progress: Callable[[float], None] = lambda _share: None) -> tuple[_Rows, _Rows]:
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

    ways = list(combinations(_bands(hashes, radius_bits + agreeing), agreeing))
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = []
        for part in pool.map(compared, ways):
            parts.append(part)
            progress(len(parts) / len(ways))
        codes = np.unique(np.concatenate(parts))
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
