"""Histograms of a column, all rows and kept rows in one pass.

Knows no rule. ``Binning`` does the part that only the column decides once, so that a moving threshold costs a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting

_FLOAT = NDArray[np.float32]
_UNSURE_BINS, _UNSURE_BINS_FLOAT32 = 1e-6, 1e-3


class Binning:
    """The bin of each row of one column.

    Units: ``edges`` in those of the column, (bins + 1,) float64. Bins hold their left edge, the last also its right
    one. Rows below, above and NaN are in no bin; ``below``, ``above`` and ``missing`` count them.
    Raises: BadSetting for less than 1 bin or an empty range.
    """

    def __init__(self, values: _FLOAT, bins: int, limits: tuple[float, float]) -> None:
        low, high = limits
        if not 1 <= bins <= 4096 or not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise BadSetting(f"{bins} bins over [{low}, {high}]", where="histogram",
                             fix="Give 1 to 4096 bins and a range whose end is above its start.")
        self.bins = bins
        self.edges = np.linspace(low, high, bins + 1)
        wide = np.asarray(values, self._precision(values))
        inside = (wide >= low) & (wide <= high)
        count = int(np.count_nonzero(inside))
        self.missing = int(np.count_nonzero(np.isnan(wide))) if count < len(wide) else 0
        self.below = int(np.count_nonzero(wide < low)) if count < len(wide) else 0
        self.above = len(wide) - self.missing - self.below - count
        # 0 is for rows in no bin, so that counting needs no mask.
        if count == len(wide):
            self._code = self._place(wide)
        else:
            rows = np.flatnonzero(inside)
            self._code = np.zeros(len(wide), np.uint16)
            self._code[rows] = self._place(wide[rows])
        self.total = self._count(self._code)

    def _precision(self, values: _FLOAT) -> type[np.floating[Any]]:
        """float32 where the values have no more and its rounding stays far below a bin; else float64."""
        reach = float(np.abs(self.edges[[0, -1]]).max()) * self.bins / float(self.edges[-1] - self.edges[0])
        exact = all(np.float32(edge) == edge for edge in self.edges[[0, -1]])
        return np.float32 if values.dtype == np.float32 and exact and reach < 2**10 else np.float64

    def kept(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Rows of the mask in each bin, (bins,) int64."""
        return self._count(self._code[np.flatnonzero(mask)])

    @property
    def code(self) -> NDArray[np.uint16]:
        """The bin of each row from 1 on, 0 for rows in no bin. Shapes: (N,)."""
        return self._code

    def _place(self, inside: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
        """The bin from 1 on: by arithmetic, and by the edges themselves where rounding could have crossed one."""
        scaled = inside - inside.dtype.type(self.edges[0])
        scaled *= inside.dtype.type(self.bins / (self.edges[-1] - self.edges[0]))
        place: NDArray[np.uint16] = scaled.astype(np.uint16)
        scaled -= np.rint(scaled)
        sure = _UNSURE_BINS if inside.dtype == np.float64 else _UNSURE_BINS_FLOAT32
        unsure = np.flatnonzero(np.abs(scaled, out=scaled) < sure)
        place[unsure] = np.searchsorted(self.edges, inside[unsure], side="right") - 1
        np.minimum(place, self.bins - 1, out=place)
        place += 1
        return place

    def _count(self, codes: NDArray[np.uint16]) -> NDArray[np.int64]:
        return np.bincount(codes, minlength=self.bins + 1)[1:]


class JointBinning:
    """Several columns binned at once, so that a moving mask is counted in one pass over the rows.

    The cells of all columns together must be few: 64 bins of three columns are 275,000.
    """

    def __init__(self, binnings: Sequence[Binning]) -> None:
        self._binnings = tuple(binnings)
        self._shape = tuple(binning.bins + 1 for binning in self._binnings)
        code = np.zeros(len(self._binnings[0].code), np.int32)
        for binning in self._binnings:
            code *= np.int32(binning.bins + 1)
            code += binning.code
        self._code = code
        self._whole = self._marginals(code)

    def kept(self, mask: NDArray[np.bool_], rows: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
        """Rows of the mask in each bin of each column, (bins,) int64 each, in their order; ``rows`` are those of the
        mask, for a caller that has them."""
        inside = int(np.count_nonzero(mask)) if rows is None else len(rows)
        if 2 * inside <= len(mask):
            return self._marginals(self._code[np.flatnonzero(mask) if rows is None else rows])
        # Counting those left out is less work.
        outside = self._marginals(self._code[np.flatnonzero(~mask)])
        return [whole - rest for whole, rest in zip(self._whole, outside, strict=True)]

    def _marginals(self, code: NDArray[np.int32]) -> list[NDArray[np.int64]]:
        cells = np.bincount(code, minlength=int(np.prod(self._shape)))
        found = []
        for size in self._shape:
            cells = cells.reshape(size, -1)
            found.append(cells.sum(axis=1)[1:])
            cells = cells.sum(axis=0)
        return found


def histogram(values: _FLOAT, bins: int, limits: tuple[float, float],
              kept: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts of all rows and of kept rows per bin, two (bins,) int64 arrays; without a mask the second is the first."""
    binning = Binning(values, bins, limits)
    return binning.total, binning.total if kept is None else binning.kept(kept)
