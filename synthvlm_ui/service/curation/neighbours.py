"""Likeness by stored embeddings: of all candidates to one vector, and the few nearest to one candidate.

A scan of all rows, exact, without an index: half-precision rows stream from the file. Knows no model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import UnknownName
from synthvlm_ui.service.curation.scope import Scope
from synthvlm_ui.store import Embeddings, Workspace

NEAREST = 12
SCORER = "clip"


class Neighbours:
    """Reads the embeddings of the active CLIP scorer."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def key(self) -> str:
        """The scorer key whose embeddings are compared. Raises: UnknownName when nothing was scored by CLIP."""
        return self._workspace.columns.active_key(SCORER)

    def embeddings(self) -> Embeddings:
        """Raises: UnknownName when there are none."""
        return self._workspace.columns.embeddings(self.key)

    def similarity(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of every row of the workspace with a vector, NaN where there is no embedding.

        Shapes: (D,) -> (n,).
        """
        table, n = self.embeddings(), self._workspace.columns.n
        found = np.full(max(n, table.rows), np.nan, np.float32)
        unit = np.asarray(vector, np.float32)
        unit = unit / max(float(np.linalg.norm(unit)), 1e-12)
        for start, rows in table.chunks():
            length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
            with np.errstate(invalid="ignore", divide="ignore"):
                found[start : start + len(rows)] = np.where(length > 0, rows @ unit / length, np.nan)
        return found[:n]

    def vector(self, ordinal: int) -> NDArray[np.float32] | None:
        """The embedding of a row, None when it has none. Shapes: (D,)."""
        found: NDArray[np.float32] = self.embeddings().of(np.array([ordinal]))[0]
        return found if found.any() else None

    def of(self, scope: Scope, ordinal: int, most: int = NEAREST) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The candidates of the scope most like this row, nearest first, and their cosines; none without embeddings."""
        nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
        try:
            vector = self.vector(ordinal)
        except UnknownName:
            return nothing
        if vector is None:
            return nothing
        rows = scope.rows[scope.columns["ok"] & (scope.rows != ordinal)]
        cosines = self.similarity(vector)[rows]
        rows, cosines = rows[np.isfinite(cosines)], cosines[np.isfinite(cosines)]
        if len(rows) > most:
            best = np.argpartition(-cosines, most - 1)[:most]
            rows, cosines = rows[best], cosines[best]
        order = np.lexsort((rows, -cosines))
        return rows[order], cosines[order]
