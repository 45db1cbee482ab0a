"""Evaluates a filter on columns, all rows at once.

Knows no grammar beyond the tree it is given, and no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.selection.columns import Columns, Matcher, size_of
from synthvlm_ui.selection.expressions import (
    CONTAINS,
    Column,
    Comparison,
    Constant,
    Expression,
    Joined,
    Not,
    Term,
    Truth,
    parse,
)

_Mask = NDArray[np.bool_]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal}


class _Logic(NamedTuple):
    """Where a statement is true and where it is false; where neither, it is unknown."""

    true: _Mask
    false: _Mask


def matching(text: str, columns: Columns) -> _Mask:
    """The rows for which the filter is true, (N,) bool. Raises: BadSetting for its grammar or an unknown column."""
    return _evaluate(parse(text), columns).true


def check_filter(text: str, columns: Columns) -> None:
    """Raises BadSetting when the filter could not be evaluated on columns of these names and kinds."""
    _evaluate(parse(text), _NoRows(columns))


class _NoRows(Mapping[str, Any]):
    """The same columns without their rows, so that trying a filter costs nothing."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        column = self._columns[name]
        return _Unasked(column) if isinstance(column, Matcher) else column[:0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class _Unasked:
    """Checks a comparison as its column would, and matches nothing."""

    def __init__(self, column: Matcher) -> None:
        self.check = column.check

    def __len__(self) -> int:
        return 0

    def matching(self, operator: str, value: float | str) -> _Mask:
        self.check(operator, value)
        return np.zeros(0, bool)


def _evaluate(expression: Expression, columns: Columns) -> _Logic:
    if isinstance(expression, Truth):
        return _truth(expression, columns)
    if isinstance(expression, Comparison):
        return _comparison(expression, columns)
    if isinstance(expression, Not):
        true, false = _evaluate(expression.part, columns)
        return _Logic(false, true)
    return _join(expression, columns)


def _join(expression: Joined, columns: Columns) -> _Logic:
    true, false = _evaluate(expression.parts[0], columns)
    for part in expression.parts[1:]:
        other = _evaluate(part, columns)
        if expression.word == "and":
            true, false = true & other.true, false | other.false
        else:
            true, false = true | other.true, false & other.false
    return _Logic(true, false)


def _truth(expression: Truth, columns: Columns) -> _Logic:
    values = _column(expression.column, columns)
    if isinstance(values, Matcher) or values.dtype.kind not in "biuf":
        raise BadSetting(f"column {expression.column.name!r} is neither true nor false", where="where",
                         fix='Compare it with a text: column == "text".')
    known = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
    return _Logic((values != 0) & known, values == 0)


def _comparison(expression: Comparison, columns: Columns) -> _Logic:
    size = _size(columns)
    true, false = np.ones(size, bool), np.zeros(size, bool)
    terms = expression.terms
    for left, operator, right in zip(terms[:-1], expression.operators, terms[1:], strict=True):
        holds, known = _link(left, operator, right, columns)
        true &= holds & known
        false |= known & ~holds
    return _Logic(true, false)


def _link(left: Term, operator: str, right: Term, columns: Columns) -> tuple[_Mask, _Mask]:
    one, other = _values(left, columns), _values(right, columns)
    if isinstance(one, Matcher) or isinstance(other, Matcher):
        return _matched(left, operator, right, columns)
    if operator == CONTAINS:
        raise BadSetting(f"{_name(left)} cannot be searched with contains", where="where",
                         fix='Write it like: caption contains "red cat".')
    if _is_text(one) != _is_text(other):
        raise BadSetting(f"{_name(left)} and {_name(right)} are not both numbers or both texts", where="where",
                         fix="Put texts in quotes and numbers without.")
    if _is_text(one):
        one, other = _as_bytes_if(one, other), _as_bytes_if(other, one)
    size = _size(columns)
    holds = np.broadcast_to(_COMPARE[operator](one, other), size)
    known = np.ones(size, bool)
    for values in (one, other):
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            known &= ~np.isnan(values)
    return holds, known


def _matched(left: Term, operator: str, right: Term, columns: Columns) -> tuple[_Mask, _Mask]:
    if isinstance(left, Constant) and isinstance(right, Column) and operator in ("==", "!="):
        left, right = right, left
    if not isinstance(left, Column) or not isinstance(right, Constant):
        raise BadSetting(f"{_name(left)} {operator} {_name(right)} compares texts with more than one text",
                         where="where", fix="Compare the column with one text in quotes.")
    holds = _column(left, columns).matching(operator, right.value)
    return holds, np.ones(len(holds), bool)


def _size(columns: Columns) -> int:
    return 0 if isinstance(columns, _NoRows) else size_of(columns)


def _values(term: Term, columns: Columns) -> Any:
    return term.value if isinstance(term, Constant) else _column(term, columns)


def _column(column: Column, columns: Columns) -> Any:
    if column.name not in columns:
        raise BadSetting(f"unknown column {column.name!r} in the filter", where="where",
                         fix=f"The columns are: {', '.join(sorted(columns))}.")
    return columns[column.name]


def _is_text(values: Any) -> bool:
    return isinstance(values, str) or (isinstance(values, np.ndarray) and values.dtype.kind not in "biuf")


def _as_bytes_if(values: Any, other: Any) -> Any:
    if isinstance(values, str) and isinstance(other, np.ndarray) and other.dtype.kind == "S":
        return values.encode("utf-8")
    return values


def _name(term: Term) -> str:
    return repr(term.name if isinstance(term, Column) else term.value)
