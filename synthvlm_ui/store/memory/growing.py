"""Arrays that grow at the end without moving every time, and an index from 64-bit keys to positions in them.

Knows nothing of what the rows are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SPARE_ROWS = 1024
Keys = NDArray[np.uint64]
Positions = NDArray[np.int32]


class GrowingArray:
    """A numpy array with room to grow; ``view`` is its live part, new entries start as ``fill``.

    A view taken before growth stays what it was: later changes may or may not show in it.
    """

    def __init__(self, dtype: DTypeLike, fill: Any = 0, data: NDArray[Any] | None = None) -> None:
        self.fill = fill
        self._data = np.zeros(0, dtype) if data is None else np.require(data, dtype, ["W"])
        self.size = len(self._data)

    @property
    def view(self) -> NDArray[Any]:
        return self._data[: self.size]

    def resize(self, size: int) -> None:
        """Grows to ``size`` entries; never shrinks."""
        if size > len(self._data):
            larger = np.empty(size + size // 8 + SPARE_ROWS, self._data.dtype)
            larger[: self.size] = self._data[: self.size]
            self._data = larger
        if size > self.size:
            self._data[self.size : size] = self.fill
            self.size = size

    def extend(self, values: NDArray[Any]) -> None:
        """Adds entries at the end."""
        start = self.size
        self.resize(start + len(values))
        self._data[start : self.size] = values


class KeyIndex:
    """From 64-bit keys to positions: a sorted array, and a dict of what came since it was sorted.

    One thread may add while others find.
    Two things with one key are one to it: at a million evenly spread keys the chance of that is below 1 in 10 million.
    """

    def __init__(self, keys: Keys | None = None, positions: Positions | None = None) -> None:
        self._sorted = (np.zeros(0, np.uint64) if keys is None else keys,
                        np.zeros(0, np.int32) if positions is None else positions)
        self._recent: dict[int, int] = {}

    def find(self, keys: Keys) -> Positions:
        """The position of each key, -1 where it is unknown. Shapes: (N,) -> (N,)."""
        # In this order: what leaves the dict meanwhile is in the arrays already.
        recent = self._recent
        known, positions = self._sorted
        if not len(known):
            found = np.full(len(keys), -1, np.int32)
        else:
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            found = np.where(known[at] == keys, positions[at], np.int32(-1)).astype(np.int32)
        if recent:
            for missing in np.flatnonzero(found < 0).tolist():
                found[missing] = recent.get(int(keys[missing]), -1)
        return found

    def add(self, keys: Keys, positions: Positions) -> None:
        """Adds keys that are not there yet. Shapes: both (N,)."""
        quarter = len(self._sorted[0]) // 4
        if len(keys) > max(SPARE_ROWS, quarter):
            self._merge(keys, positions)
            return
        self._recent.update(zip(keys.tolist(), positions.tolist(), strict=True))
        if len(self._recent) > max(16 * SPARE_ROWS, quarter):
            self.compact()

    def compact(self) -> tuple[Keys, Positions]:
        """Sorts everything into the arrays and returns them."""
        if self._recent:
            self._merge(np.zeros(0, np.uint64), np.zeros(0, np.int32))
        return self._sorted

    def _merge(self, keys: Keys, positions: Positions) -> None:
        recent = np.fromiter(self._recent, np.uint64, len(self._recent))
        values = np.fromiter(self._recent.values(), np.int32, len(self._recent))
        together = np.concatenate([self._sorted[0], recent, keys])
        order = np.argsort(together)
        self._sorted = together[order], np.concatenate([self._sorted[1], values, positions])[order]
        self._recent = {}


def keys_of_ids(ids: NDArray[np.bytes_]) -> Keys:
    """A 64-bit key of each S16 id. Shapes: (N,) -> (N,)."""
    words = np.ascontiguousarray(ids).view(np.uint64).reshape(-1, 2)
    # Hexadecimal text carries 4 bits a byte, so both halves are spread over all 64 bits before they meet.
    keys = words[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    keys ^= keys >> np.uint64(29)
    keys += words[:, 1]
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(32)
    return keys
