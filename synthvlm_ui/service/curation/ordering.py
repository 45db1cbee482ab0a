"""An order of candidates and pages of it at any offset: sorted once when it is used for long, partitioned before.

Knows neither scores nor rules: a key per row says who comes first.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

SORT_AFTER_S = 0.4
FEW_ROWS = 50_000
_Rows = NDArray[np.int64]


class Order:
    """Rows by falling key; no key comes twice.

    Sorting a million keys takes a tenth of a second and more, which a page after a change of lambda need not wait for:
    until it is done in the background, pages are cut by partitioning. Both give the same rows. Shapes: keys (N,).
    """

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        self.keys = keys
        self._sorted: NDArray[np.int32] | None = None
        self._timer: threading.Timer | None = None
        if len(keys) <= FEW_ROWS:
            self._sort()

    def sort(self) -> None:
        """Sorts now, for a caller that would rather wait."""
        if self._sorted is None:
            self._sort()

    def give_up(self) -> None:
        """Does not sort in the background any more."""
        timer, self._timer = self._timer, None  # each knows the other: together they would outlive their use
        if timer is not None:
            timer.cancel()

    def page(self, mask: NDArray[np.bool_], offset: int, limit: int) -> _Rows:
        """The rows of the mask at places ``offset`` to ``offset + limit``. Shapes: mask (N,) -> at most (limit,)."""
        if self._sorted is not None:
            return self._walked(self._sorted, mask, offset, limit)
        self._sort_soon()
        rows = np.flatnonzero(mask)
        stop = min(offset + limit, len(rows))
        if offset >= stop:
            return rows[:0]
        keys = self.keys[rows]
        places = (len(rows) - stop, len(rows) - 1 - offset)
        least, most = np.partition(keys, places)[list(places)]
        chosen = rows[(keys >= least) & (keys <= most)]
        return chosen[np.argsort(~self.keys[chosen])]

    def all(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Every row of the mask, in order."""
        self.sort()
        ordered = self._sorted
        assert ordered is not None
        return ordered[np.flatnonzero(mask[ordered])]

    @staticmethod
    def _walked(ordered: NDArray[np.int32], mask: NDArray[np.bool_], offset: int, limit: int) -> _Rows:
        """Walks down the order in growing steps until the page is full."""
        pieces: list[NDArray[np.int32]] = []
        start, step, seen = 0, 4096, 0
        while start < len(ordered) and seen < offset + limit:
            piece = ordered[start : start + step]
            piece = piece[mask[piece]]
            seen += len(piece)
            pieces.append(piece)
            start, step = start + step, 2 * step
        found = np.concatenate(pieces) if pieces else ordered[:0]
        return found[offset : offset + limit].astype(np.int64)

    @property
    def is_sorted(self) -> bool:
        return self._sorted is not None

    def place(self, row: int, mask: NDArray[np.bool_]) -> int | None:
        """At which place of the mask's rows a row stands, None when it is not among them."""
        return int(np.count_nonzero(mask & (self.keys > self.keys[row]))) if mask[row] else None

    def _sort(self) -> None:
        self._sorted = np.argsort(~self.keys).astype(np.int32)
        self.give_up()

    def _sort_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(SORT_AFTER_S, self.sort)
            self._timer.daemon = True
            self._timer.start()
