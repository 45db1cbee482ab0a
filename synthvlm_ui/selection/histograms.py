"""Histograms of a column, all rows and kept rows in one pass.

Knows no rule. ``Binning`` does the part that only the column decides once, so that a moving threshold costs a count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting

_FLOAT = NDArray[np.float32]


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
        wide = np.asarray(values, np.float64)
        inside = (wide >= low) & (wide <= high)
        self.missing = int(np.isnan(wide).sum())
        self.below = int((wide < low).sum())
        self.above = len(wide) - self.missing - self.below - int(inside.sum())
        # 0 is for rows in no bin, so that counting needs no mask.
        self._code = np.zeros(len(wide), np.uint16)
        self._code[inside] = self._place(wide[inside]) + 1
        self.total = self._count(self._code)

    def kept(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Rows of the mask in each bin, (bins,) int64."""
        return self._count(self._code[np.flatnonzero(mask)])

    def _place(self, inside: NDArray[np.float64]) -> NDArray[np.int64]:
        """The bin by arithmetic, then put right where rounding crossed an edge."""
        low, high = self.edges[0], self.edges[-1]
        place: NDArray[np.int64] = ((inside - low) * (self.bins / (high - low))).astype(np.int64)
        place = np.minimum(place, self.bins - 1)
        place -= inside < self.edges[place]
        place += (inside >= self.edges[place + 1]) & (place < self.bins - 1)
        return place

    def _count(self, codes: NDArray[np.uint16]) -> NDArray[np.int64]:
        return np.bincount(codes, minlength=self.bins + 1)[1:]


def histogram(values: _FLOAT, bins: int, limits: tuple[float, float],
              kept: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts of all rows and of kept rows per bin, two (bins,) int64 arrays; without a mask the second is the first."""
    binning = Binning(values, bins, limits)
    return binning.total, binning.total if kept is None else binning.kept(kept)
