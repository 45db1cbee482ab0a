"""Which rows in memory are a dataset's, and its part of the columns. Knows no rule and no verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.store import CandidateColumns

_FACTS = ("candidate_id", "caption_code", "ok", "verdict", "seed", "repeat")
_Rows = NDArray[np.int64]


def dataset_columns(columns: CandidateColumns, dataset: str) -> tuple[_Rows, dict[str, NDArray[Any]]]:
    """The ordinals of a dataset's candidates, and its part of every column; real images are none."""
    rows = rows_of(columns, dataset)
    part = {name: getattr(columns, name)[rows] for name in _FACTS}
    # what is not scored yet can be looked at all the same: its scores are missing, not its columns
    part |= {name: np.full(len(rows), np.nan, np.float32) for name in ("clip_cosine", "ssim")}
    return rows, part | {name: columns.score(name)[rows] for name in columns.score_columns()}


def rows_of(columns: CandidateColumns, dataset: str, *, real: bool = False) -> _Rows:
    """The ordinals of the candidates of a dataset, of several ("a,b") or of all ("*"), or of their real images."""
    names = [name for name in dataset.split(",") if name in columns.datasets] if dataset != "*" else columns.datasets
    codes = columns.dataset_code
    is_real = columns.is_real[:len(codes)]
    inside = np.isin(codes, [columns.datasets.index(name) for name in names])
    return np.flatnonzero(inside & (is_real if real else ~is_real))


def number(value: Any) -> float | None:
    """A float for JSON: None where the score is missing, rounded to what float32 holds."""
    plain = float(value)
    return None if math.isnan(plain) else round(plain, 6)
