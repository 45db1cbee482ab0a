"""From events to the verdict in force on every row, one event at a time, vectorised over its rows.

Knows no database: the rows of older bulk acts are fetched through a function it is given.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from synthvlm_ui.store.decisions.bitmaps import as_bitmap, bitmap_of, unpacked
from synthvlm_ui.store.decisions.events import VERDICT_VALUES, Event
from synthvlm_ui.store.memory.growing import GrowingArray
from synthvlm_ui.store.memory.rows import RowTable

SMALL_ACT_ROWS = 256
CACHED_BITMAPS = 64

_ARRAYS = {"id": "i4", "value": "i1", "active": "?", "size": "i8", "small_row": "u4", "small_position": "i4"}


class VerdictLedger:
    """Every verdict event with whether it counts, and the rows of small acts at hand.

    The verdict in force on a row is that of the latest event on it that counts. Small acts (a person at the keyboard
    makes thousands) lie in two flat arrays; bulk acts (few) stay bitmaps.
    """

    def __init__(self, bitmap_by_event: Callable[[int], bytes], arrays: dict[str, NDArray[Any]] | None = None) -> None:
        given = arrays or {}
        self._fetch = bitmap_by_event
        self._arrays = {name: GrowingArray(dtype, 0, given.get(f"verdict.{name}")) for name, dtype in _ARRAYS.items()}
        self._bitmaps: OrderedDict[int, BitMap] = OrderedDict()

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {f"verdict.{name}": array.view for name, array in self._arrays.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name].view

    def apply(self, event: Event, rows: RowTable) -> None:
        """Takes the next event of the journal into account and updates the columns verdict and verdict_event."""
        if event.kind == "verdict":
            self._decide(event, rows)
        elif event.kind in ("undo", "redo") and event.target is not None:
            position = int(np.searchsorted(self["id"], event.target))
            ordinals = event.ordinals()
            self["active"][position] = event.kind == "redo"
            if event.kind == "undo":
                self._take_back(position, ordinals, rows)
            else:
                self._put_back(position, ordinals, rows)

    def acts_on(self, ordinal: int) -> list[tuple[int, bool]]:
        """The id of every verdict ever given on a row, oldest first, and whether it counts (was not undone)."""
        positions = set(self["small_position"][self["small_row"] == ordinal].tolist())
        bulk = np.flatnonzero(self["size"] > SMALL_ACT_ROWS).tolist()
        positions.update(position for position in bulk if ordinal in self._bitmap_at(position))
        return [(int(self["id"][position]), bool(self["active"][position])) for position in sorted(positions)]

    def _decide(self, event: Event, rows: RowTable) -> None:
        ordinals = event.ordinals()
        value = VERDICT_VALUES[event.verdict or "clear"]
        position = self._arrays["id"].size
        for name, entry in (("id", event.id), ("value", value), ("active", True), ("size", len(ordinals))):
            self._arrays[name].extend(np.array([entry]))
        if len(ordinals) <= SMALL_ACT_ROWS:
            self._arrays["small_row"].extend(ordinals)
            self._arrays["small_position"].extend(np.full(len(ordinals), position))
        rows["verdict"][ordinals] = value
        rows["verdict_event"][ordinals] = event.id

    def _take_back(self, position: int, ordinals: NDArray[np.uint32], rows: RowTable) -> None:
        ordinals = ordinals[rows["verdict_event"][ordinals] == self["id"][position]]
        if not ordinals.size:
            return
        previous = self._latest_before(position, ordinals, rows.n)
        decided = previous >= 0
        rows["verdict"][ordinals] = np.where(decided, self["value"][previous], 0)
        rows["verdict_event"][ordinals] = np.where(decided, self["id"][previous], 0)

    def _put_back(self, position: int, ordinals: NDArray[np.uint32], rows: RowTable) -> None:
        ordinals = ordinals[rows["verdict_event"][ordinals] < self["id"][position]]
        rows["verdict"][ordinals] = self["value"][position]
        rows["verdict_event"][ordinals] = self["id"][position]

    def _latest_before(self, position: int, ordinals: NDArray[np.uint32], n: int) -> NDArray[np.int32]:
        """For each ordinal the latest position before ``position`` that counts and has it, or -1."""
        previous = np.full(len(ordinals), -1, np.int32)
        place = np.full(n, -1, np.int32)
        place[ordinals] = np.arange(len(ordinals), dtype=np.int32)
        end = int(np.searchsorted(self["small_position"], position))
        small = self["small_position"][:end]
        at = place[self["small_row"][:end]]
        counts = (at >= 0) & self["active"][small]
        # Positions ascend, and of several assignments to one entry numpy keeps the last.
        previous[at[counts]] = small[counts]
        self._search_bulk_acts(position, ordinals, place, previous)
        return previous

    def _search_bulk_acts(self, position: int, ordinals: NDArray[np.uint32], place: NDArray[np.int32],
                          previous: NDArray[np.int32]) -> None:
        bulk = np.flatnonzero(self["active"][:position] & (self["size"][:position] > SMALL_ACT_ROWS))
        if not bulk.size:
            return
        rest = as_bitmap(ordinals)
        for act in bulk[::-1].tolist():
            hit = rest & self._bitmap_at(act)
            if hit:
                at = place[unpacked(hit)]
                previous[at] = np.maximum(previous[at], act)
                rest -= hit
                if not rest:
                    return

    def _bitmap_at(self, position: int) -> BitMap:
        bitmap = self._bitmaps.pop(position, None)
        if bitmap is None:
            bitmap = bitmap_of(self._fetch(int(self["id"][position])))
        self._bitmaps[position] = bitmap
        if len(self._bitmaps) > CACHED_BITMAPS:
            self._bitmaps.popitem(last=False)
        return bitmap
