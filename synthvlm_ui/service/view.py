"""One dataset's rows of the columns, and a rule resolved against them: what pages and histograms are cut from.

Knows no journal and no file. Orders are exact and stable: ties go by candidate id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.selection import Resolved
from synthvlm_ui.store import CandidateColumns, Workspace

SHOWN = ("kept", "dropped", "all", "undecided", "keep", "reject", "failed")
_FACTS = ("candidate_id", "caption_code", "ok", "verdict", "seed", "repeat")
ORDERS = ("combined", "clip_cosine", "ssim", "newest", "caption")


@dataclass
class View:
    """Shapes: ``rows`` (N,) ordinals in the workspace; every column (N,); ``resolved.ordinals`` index these rows."""

    version: int
    rows: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    resolved: Resolved
    orders: dict[tuple[str, str], NDArray[np.int64]] = field(default_factory=dict)

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.rows), dtype=bool)
        mask[self.resolved.ordinals] = True
        return mask

    @cached_property
    def total(self) -> int:
        return int(self.columns["ok"].sum())


def dataset_columns(columns: CandidateColumns, dataset: str) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """The ordinals of a dataset's candidates, and its part of every column; real images are none."""
    return _part(columns, rows_of(columns, dataset))


def rows_of(columns: CandidateColumns, dataset: str, *, real: bool = False) -> NDArray[np.int64]:
    """The ordinals of a dataset's candidates, or of its real images."""
    if dataset not in columns.datasets:
        return np.zeros(0, np.int64)
    codes = columns.dataset_code
    is_real = columns.is_real[:len(codes)]
    return np.flatnonzero((codes == columns.datasets.index(dataset)) & (is_real if real else ~is_real))


def _part(columns: CandidateColumns, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    part = {name: getattr(columns, name)[rows] for name in _FACTS}
    # what is not scored yet can be looked at all the same: its scores are missing, not its columns
    part |= {name: np.full(len(rows), np.nan, np.float32) for name in ("clip_cosine", "ssim")}
    return rows, part | {name: columns.score(name)[rows] for name in columns.score_columns()}


def exact_score(workspace: Workspace, rows: NDArray[np.int64], name: str) -> NDArray[Any]:
    """One score column in the type it was written in, which float32 may not hold (a 64-bit hash); 0 where missing.

    Shapes: ``rows`` (N,) ordinals -> (N,). Reads the score files, so it is for single acts and not for every drag.
    """
    columns = workspace.columns
    scorer = next((found for found in columns.scorers() if name in found.columns), None)
    values: NDArray[Any] = np.zeros(columns.n, dtype=np.uint64)
    if scorer is not None:
        for dataset, shard in dict.fromkeys(columns.shard_of(int(row)) for row in rows):
            if scorer.key in workspace.scores.keys(dataset, shard):
                scores = workspace.scores.read(dataset, shard, scorer.key)
                ids = [candidate_id.decode("ascii") for candidate_id in scores.candidate_ids]
                values[columns.ordinals_of(ids)] = scores.columns[name]
    return values[rows]


def order_of(view: View, show: str, order: str) -> NDArray[np.int64]:
    """The rows to show, in order. Raises: BadSetting for an unknown choice."""
    if show not in SHOWN:
        raise BadSetting(f"cannot show {show!r}", fix=f"Choose one of {', '.join(SHOWN)}.")
    if order not in ORDERS:
        raise BadSetting(f"cannot order by {order!r}", fix=f"Choose one of {', '.join(ORDERS)}.")
    if (show, order) not in view.orders:
        rows = np.flatnonzero(_mask(view, show))
        view.orders[show, order] = rows[_ranking(view, rows, order)]
    return view.orders[show, order]


def _mask(view: View, show: str) -> NDArray[np.bool_]:
    ok, verdict = view.columns["ok"], view.columns["verdict"]
    if show == "kept":
        return view.kept
    if show == "dropped":
        return ok & ~view.kept
    if show == "failed":
        return np.logical_not(ok)
    decided = {"all": ok, "undecided": ok & (verdict == 0), "keep": ok & (verdict > 0), "reject": ok & (verdict < 0)}
    return np.asarray(decided[show])


def _ranking(view: View, rows: NDArray[np.int64], order: str) -> NDArray[np.int64]:
    ids = view.columns["candidate_id"][rows]
    if order == "newest":
        return np.lexsort((ids, -rows))
    if order == "caption":
        return np.lexsort((ids, view.columns["repeat"][rows], view.columns["caption_code"][rows]))
    missing = np.full(len(view.rows), np.nan, dtype=np.float32)
    values = view.resolved.combined if order == "combined" else view.columns.get(order, missing)
    descending = np.where(np.isnan(values[rows]), -np.inf, values[rows])
    return np.lexsort((ids, -descending))


def number(value: Any) -> float | None:
    """A float for JSON: None where the score is missing, rounded to what float32 holds."""
    plain = float(value)
    return None if math.isnan(plain) else round(plain, 6)
