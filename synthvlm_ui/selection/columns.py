"""The columns a rule is resolved against: lookups that name what is missing, and the order of ids.

Knows no rule. A column is an (N,) array; N is the number of candidates of one dataset.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData

Columns = Mapping[str, NDArray[Any]]
# What fills a column, for the message when it is missing.
_SOURCES = {"clip_cosine": "clip", "ssim": "ssim", "ssim_tiled": "ssim-tiled", "guard": "guards", "phash": "guards",
            "embedding": "clip"}


@runtime_checkable
class Matcher(Protocol):
    """A column that a filter compares as a whole, such as the words of captions or the names of datasets."""

    def __len__(self) -> int: ...

    def check(self, operator: str, value: float | str) -> None:
        """Raises BadSetting when such a comparison means nothing."""

    def matching(self, operator: str, value: float | str) -> NDArray[np.bool_]:
        """The rows for which the comparison holds, (N,) bool."""


class Coded:
    """A column of names kept as codes: ``names[code]``, a code outside them is no name. Compares with == and !=."""

    def __init__(self, codes: NDArray[np.integer], names: list[str], what: str) -> None:
        self._codes, self._names, self._what = codes, names, what

    def __len__(self) -> int:
        return len(self._codes)

    def check(self, operator: str, value: float | str) -> None:
        """Raises: BadSetting, also for a name that no row could have."""
        if operator not in ("==", "!=") or not isinstance(value, str):
            raise BadSetting(f"{self._what} can only be compared by == or != with a name in quotes", where="where",
                             fix=f'Write it like: {self._what} == "{(self._names or ["NAME"])[0]}".')
        if value not in self._names:
            known = ", ".join(self._names[:12]) or "none"
            raise BadSetting(f"there is no {self._what} {value!r}", where="where", fix=f"There are: {known}.")

    def matching(self, operator: str, value: float | str) -> NDArray[np.bool_]:
        """Raises: BadSetting."""
        self.check(operator, value)
        holds: NDArray[np.bool_] = self._codes == self._names.index(str(value))
        return holds if operator == "==" else ~holds


class LazyColumns(Mapping[str, Any]):
    """Columns of one size, each made when it is first asked for and then kept.

    Threads may ask at once; at worst a column is made twice.
    """

    def __init__(self, size: int, makers: Mapping[str, Callable[[], Any]]) -> None:
        self.size, self._makers = size, dict(makers)
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def with_columns(self, **makers: Callable[[], Any]) -> LazyColumns:
        """The same columns, made here whoever asks, and some more or other ones."""
        return LazyColumns(self.size, {**self._handed_on(), **makers})

    def without(self, name: str) -> LazyColumns:
        """The same columns but one."""
        handed_on = self._handed_on()
        handed_on.pop(name, None)
        return LazyColumns(self.size, handed_on)

    def _handed_on(self) -> dict[str, Callable[[], Any]]:
        return {name: partial(self.__getitem__, name) for name in self._makers}


def size_of(columns: Columns) -> int:
    """N. Raises: CorruptData when the columns differ in length."""
    if isinstance(columns, LazyColumns):
        return columns.size
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


def also(columns: Columns, name: str, make: Callable[[], Any]) -> Columns:
    """The columns and one more, or another in its place, without making any of those that are made on demand."""
    if isinstance(columns, LazyColumns):
        return columns.with_columns(**{name: make})
    return {**columns, name: make()}


def leaving_out(columns: Columns, name: str) -> Columns:
    """The columns but one, without making any."""
    if isinstance(columns, LazyColumns):
        return columns.without(name)
    return {key: column for key, column in columns.items() if key != name}


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
        return captions_of(codes, np.flatnonzero(mask))
    column, count = _latest_count
    if column() is not codes:
        count = _distinct(codes, int(codes.max()))
        _latest_count = (weakref.ref(codes), count)
    return count


def captions_of(codes: NDArray[np.integer], rows: NDArray[np.int64], ascending: bool = False) -> int:
    """How many captions these ascending rows are of; ``ascending`` says that the codes are too.

    Shapes: codes (N,), rows (M,).
    """
    chosen = codes[rows]
    if not len(chosen):
        return 0
    steps = chosen[1:] != chosen[:-1]
    # Candidates of a caption mostly lie together, in the order of captions: then counting the steps is enough.
    if ascending or (chosen[1:] >= chosen[:-1]).all():
        return int(np.count_nonzero(steps)) + 1
    return _distinct(chosen[np.r_[True, steps]], int(codes.max()))


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
