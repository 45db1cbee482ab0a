"""Hashes of runs of characters or words, many captions at once, and how often each comes in its own caption.

Knows neither characters nor words, only sequences of 64-bit values. All arithmetic is modulo 2**64, on random values
of the symbols: two different runs have the same hash with a chance of about 2**-64.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15 | 1
_INVERSE = pow(_BASE, -1, 2**64)
_MASK = 2**64 - 1
OWNER_BITS = 16
MAX_OWNERS = 1 << OWNER_BITS


def mixed(values: NDArray[np.unsignedinteger]) -> Hashes:
    """The values scattered over 64 bits, one to one (the finaliser of splitmix64)."""
    x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@lru_cache(maxsize=1)
def symbol_values() -> Hashes:
    """A random-looking value for every code point. Shape (0x110000,)."""
    return mixed(np.arange(0x110000, dtype=np.uint64))


def windows(values: Hashes, length: int) -> Hashes:
    """The hash of every ``length`` values in a row. Shapes: (N,) gives (N - length + 1,), or (0,)."""
    if len(values) < length:
        return np.zeros(0, dtype=np.uint64)
    # By doubling: a window of 10 is one of 8 followed by one of 2, so a few passes serve any length.
    result, done, power, width = None, 0, values, 1
    remaining = length
    while remaining:
        if remaining & 1:
            result = power if result is None else _joined(result, done, power, width)
            done += width
        remaining >>= 1
        if remaining:
            power, width = _joined(power, width, power, width), 2 * width
    assert result is not None
    return result


def _joined(left: Hashes, left_width: int, right: Hashes, right_width: int) -> Hashes:
    factor = np.uint64(pow(_BASE, right_width, 2**64))
    count = min(len(left), len(right) - left_width)
    return left[:count] * factor + right[left_width: left_width + count]


class Spans:
    """Hashes of any spans of one sequence of values, by prefix sums. Equal spans hash alike wherever they stand."""

    def __init__(self, values: Hashes) -> None:
        powers, self._inverse = _powers(len(values) + 1)
        self._sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values * powers[:-1], dtype=np.uint64)])

    def hash(self, starts: Places, ends: Places) -> Hashes:
        """The hash of each span [start, end). Shapes: (M,)."""
        return mixed((self._sums[ends] - self._sums[starts]) * self._inverse[starts])


@lru_cache(maxsize=2)
def _power_table(size: int) -> tuple[Hashes, Hashes]:
    tables = []
    for base in (_BASE, _INVERSE):
        table = np.full(size, base, dtype=np.uint64)
        table[0] = 1
        tables.append(np.cumprod(table, dtype=np.uint64))
    return tables[0], tables[1]


def _powers(count: int) -> tuple[Hashes, Hashes]:
    # The table grows by doubling, so that blocks of about one size share it.
    size = 1 << max(16, (count - 1).bit_length())
    powers, inverse = _power_table(size)
    return powers[:count], inverse[:count]


class Repeats:
    """Which hashes come more than once within their owner.

    Owners are numbers below 65,536; 48 bits of the hash tell runs of one owner apart. Shapes: hashes and owners (N,).
    """

    def __init__(self, hashes: Hashes, owners: NDArray[np.integer], owner_count: int) -> None:
        self.owner_count = owner_count
        keys = (owners.astype(np.uint64) << np.uint64(64 - OWNER_BITS)) | (mixed(hashes) >> np.uint64(OWNER_BITS))
        keys.sort()
        same = keys[1:] == keys[:-1]
        shift = np.uint64(64 - OWNER_BITS)
        repeating = np.zeros(owner_count, dtype=bool)
        repeating[(keys[1:][same] >> shift).astype(np.int64)] = True
        keys = keys[repeating[(keys >> shift).astype(np.int64)]]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
        self._counts = np.diff(np.append(first, len(keys)))
        self._owners = (keys[first] >> shift).astype(np.int64)

    def repeated_total(self) -> NDArray[np.int64]:
        """For each owner how many of its runs are ones that come more than once. Shape (owner_count,)."""
        many = self._counts > 1
        return np.bincount(self._owners[many], self._counts[many], self.owner_count).astype(np.int64)

    def most_frequent_total(self) -> NDArray[np.int64]:
        """For each owner how often its k most frequent repeated runs come together, with
        k = min(floor(sqrt(distinct runs)), distinct runs that are repeated). Shape (owner_count,)."""
        distinct = np.bincount(self._owners, minlength=self.owner_count)
        many = self._counts > 1
        owners, counts = self._owners[many], self._counts[many]
        repeated = np.bincount(owners, minlength=self.owner_count)
        limit = np.minimum(np.sqrt(distinct).astype(np.int64), repeated)
        order = np.lexsort((-counts, owners))
        owners, counts = owners[order], counts[order]
        starts = np.cumsum(repeated) - repeated
        rank = np.arange(len(owners)) - starts[owners]
        taken = rank < limit[owners]
        return np.bincount(owners[taken], counts[taken], self.owner_count).astype(np.int64)
