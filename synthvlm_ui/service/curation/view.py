"""A rule resolved on a scope at one moment: what counts, histograms, pages and bulk verdicts are cut from.

Knows no journal and no file. Orders are exact: ties go by candidate id.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import (
    Choice,
    LazyColumns,
    Scored,
    choose,
    overridden,
    thresholds_of,
)
from synthvlm_ui.service.curation.ordering import Order
from synthvlm_ui.service.curation.scope import Scope

SHOWN = ("kept", "dropped", "all", "undecided", "keep", "reject", "overridden", "failed", "real")
ORDERS = ("combined", "clip_cosine", "ssim", "newest", "caption", "random", "similarity")
SCORES = ("clip_cosine", "ssim", "combined")
# Pages this near the top are found by walking down the order; for those below, all places are worked out once.
_NEAR_ROWS = 5_000
_Mask = NDArray[np.bool_]
_Rows = NDArray[np.int64]


@dataclass
class View:
    """Shapes: ``columns`` are the scope's with ``verdict``, all (N,); ``choice`` masks the N rows."""

    version: int
    scope: Scope
    rule: SelectionRule
    columns: LazyColumns
    ranked: Scored
    choice: Choice
    _list: tuple[tuple[object, ...], NDArray[np.int32]] = ((), np.zeros(0, np.int32))

    @classmethod
    def of(cls, scope: Scope, rule: SelectionRule, version: int, last: View | None = None) -> View:
        """Resolves a rule that was checked; ``last`` is a view whose verdicts are still in force."""
        verdict = last.columns["verdict"] if last is not None and last.version == version else scope.verdict()
        columns = scope.columns.with_columns(verdict=lambda: verdict)
        ranked = scope.scored(rule)
        return cls(version, scope, rule, columns, ranked, choose(rule, columns, ranked))

    @property
    def kept(self) -> _Mask:
        return self.choice.mask

    @cached_property
    def kept_count(self) -> int:
        return int(np.count_nonzero(self.kept))

    @cached_property
    def captions_kept(self) -> int:
        return self._counts[0]

    @cached_property
    def thresholds(self) -> dict[str, float | None]:
        return thresholds_of(self.rule, self.choice, self.ranked)

    @cached_property
    def histograms(self) -> list[NDArray[np.int64]]:
        """The kept rows per bin of SCORES, in their order."""
        return self._counts[1]

    @cached_property
    def _counts(self) -> tuple[int, list[NDArray[np.int64]]]:
        # Together, since both go over the same row numbers, which are too many to be kept.
        rows = np.flatnonzero(self.kept)
        return self.scope.captions_of(rows), self.scope.joint(SCORES, self.rule).kept(self.kept, rows)

    @cached_property
    def overridden(self) -> tuple[_Mask, _Mask]:
        """The rows kept only by a verdict, and those out only by one."""
        return overridden(self.rule, self.columns, self.choice, self.ranked)

    def mask(self, show: str) -> _Mask:
        """The rows that are shown. Raises: BadSetting for an unknown choice."""
        ok, verdict = self.columns["ok"], self.columns["verdict"]
        masks = {
            "kept": lambda: self.kept, "dropped": lambda: ok & ~self.kept, "all": lambda: ok,
            "undecided": lambda: ok & (verdict == 0), "keep": lambda: ok & (verdict > 0),
            "reject": lambda: ok & (verdict < 0), "failed": lambda: ~ok,
            "overridden": lambda: self.overridden[0] | self.overridden[1],
        }
        if show not in masks:
            raise BadSetting(f"cannot show {show!r}", where="show", fix=f"Choose one of {', '.join(SHOWN)}.")
        return np.asarray(masks[show]())

    def page(self, shown: Shown, offset: int, limit: int) -> _Rows:
        """The rows at these places of what is shown."""
        key, listed = self._list
        if key != shown.key:
            if offset + limit <= _NEAR_ROWS or not shown.order.is_sorted:
                return shown.order.page(shown.mask, offset, limit)
            listed = shown.order.all(shown.mask)
            self._list = (shown.key, listed)
        return listed[offset : offset + limit].astype(np.int64)


@dataclass(frozen=True)
class Shown:
    """The rows that are looked at and their order; ``key`` tells one such choice of a view from another."""

    mask: _Mask
    order: Order
    key: tuple[object, ...]

    @cached_property
    def total(self) -> int:
        return int(np.count_nonzero(self.mask))


__all__ = ["ORDERS", "SHOWN", "Shown", "View"]
