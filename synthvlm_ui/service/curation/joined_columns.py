"""Columns that come from other stores than that of candidates: members of saved selections, stored embeddings.

Knows no rule and no view.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.store import Embeddings, Workspace

MOST_VECTORS = 200_000


class Members:
    """Whether candidates are in a saved selection: ``selection == "best"``. Shapes: ``candidate_ids`` (N,) S16."""

    def __init__(self, workspace: Workspace, candidate_ids: NDArray[np.bytes_]) -> None:
        self._workspace, self._ids = workspace, candidate_ids

    def __len__(self) -> int:
        return len(self._ids)

    def check(self, operator: str, value: float | str) -> None:
        """Raises: BadSetting, UnknownName."""
        if operator not in ("==", "!=") or not isinstance(value, str):
            raise BadSetting("a selection can only be compared by == or != with a name in quotes", where="where",
                             fix='Write it like: selection == "best".')
        known = self._workspace.selections.names()
        if value not in known:
            raise BadSetting(f"there is no selection {value!r}", where="where",
                             fix=f"There are: {', '.join(known[:12]) or 'none yet'}.")

    def matching(self, operator: str, value: float | str) -> NDArray[np.bool_]:
        """Raises: BadSetting, CorruptData."""
        self.check(operator, value)
        chosen = self._workspace.selections.load(str(value)).candidate_ids
        found: NDArray[np.bool_] = np.isin(self._ids, np.array(chosen, dtype=self._ids.dtype))
        return found if operator == "==" else ~found


class Vectors:
    """Stored embeddings by row, read when rows are taken. Shapes: ``rows`` (N,) ordinals; an item (M,) -> (M, D)."""

    dtype = np.dtype(np.float32)

    def __init__(self, embeddings: Embeddings, rows: NDArray[np.int64]) -> None:
        self._embeddings, self._rows = embeddings, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        wanted = self._rows[rows]
        if len(wanted) > MOST_VECTORS:
            raise BadSetting(f"comparing the embeddings of {len(wanted):,} candidates would take too long",
                             where="near_duplicates",
                             fix=f"Narrow the rule to {MOST_VECTORS:,} first, for example by a threshold, or compare "
                                 "perceptual hashes.")
        return self._embeddings.of(wanted)
