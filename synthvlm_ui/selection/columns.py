"""The columns a rule is resolved against: lookups that name what is missing, and the order of ids.

Knows no rule. A column is an (N,) array; N is the number of candidates of one dataset.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData

Columns = Mapping[str, NDArray[Any]]
# What fills a column, for the message when it is missing.
_SOURCES = {"clip_cosine": "clip", "ssim": "ssim", "ssim_tiled": "ssim-tiled", "guard": "guards", "phash": "guards"}


def size_of(columns: Columns) -> int:
    """N. Raises: CorruptData when the columns differ in length."""
    sizes = {len(column) for column in columns.values()}
    if len(sizes) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in sorted(columns.items()))
        raise CorruptData(f"columns of different lengths: {lengths}", fix="Rebuild the index.")
    return sizes.pop() if sizes else 0


def require(columns: Columns, name: str, wanted_by: str) -> NDArray[Any]:
    """The column of that name. Raises: BadSetting naming the column and what would fill it."""
    if name in columns:
        return columns[name]
    if name in _SOURCES:
        fix = f"Run score with --scorers {_SOURCES[name]} first."
    else:
        fix = f"The columns are: {', '.join(sorted(columns))}."
    raise BadSetting(f"{wanted_by} needs the column {name!r}, which is not there", fix=fix)


def id_rank(candidate_ids: NDArray[np.bytes_]) -> NDArray[np.uint32]:
    """The place of each id among all ids in ascending order, (N,) uint32.

    Costs some 0.2 s per million ids, so a caller with many rules keeps it as the column ``id_rank``.
    """
    if candidate_ids.dtype.kind == "S" and candidate_ids.dtype.itemsize <= 16:
        order = _order_of_short_ids(candidate_ids)
    else:
        order = np.argsort(candidate_ids, kind="stable")
    rank = np.empty(len(order), np.uint32)
    rank[order] = np.arange(len(order), dtype=np.uint32)
    return rank


def rank_of(columns: Columns) -> NDArray[np.uint32]:
    """The column ``id_rank`` when the caller keeps one, else worked out from ``candidate_id``."""
    if "id_rank" in columns:
        return columns["id_rank"].astype(np.uint32, copy=False)
    return id_rank(require(columns, "candidate_id", "a selection"))


def captions_in(columns: Columns, mask: NDArray[np.bool_] | None = None) -> int:
    """How many captions have a row in the mask, or any row; 0 when no column says which caption a row belongs to.

    The count of all is remembered for the latest column, which must not be changed after it was handed over.
    """
    global _latest_count
    codes = columns.get("caption_code")
    if codes is None or not len(codes):
        return 0
    if mask is not None:
        # Looking rows up by number is faster than by a mask.
        return _distinct(codes[np.flatnonzero(mask)], int(codes.max()))
    column, count = _latest_count
    if column() is not codes:
        count = _distinct(codes, int(codes.max()))
        _latest_count = (weakref.ref(codes), count)
    return count


_latest_count: tuple[Callable[[], Any], int] = (lambda: None, 0)


def _distinct(codes: NDArray[Any], most: int) -> int:
    present = np.zeros(most + 1, bool)
    present[codes] = True
    return int(np.count_nonzero(present))


def _order_of_short_ids(ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Sorts by the first 8 bytes as one number, and by the rest only where those are equal: hashes rarely collide."""
    words = np.ascontiguousarray(ids.astype("S16", copy=False)).view(">u8").reshape(-1, 2)
    first = words[:, 0].astype(np.uint64)
    order = np.argsort(first)
    ordered = first[order]
    equal = ordered[1:] == ordered[:-1]
    if not equal.any():
        return order
    tied = np.zeros(len(order), bool)
    tied[1:] |= equal
    tied[:-1] |= equal
    places = np.flatnonzero(tied)
    rows = order[places]
    order[places] = rows[np.lexsort((rows, words[rows, 1].astype(np.uint64), first[rows]))]
    return order
