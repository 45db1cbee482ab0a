"""The filter language: its trees, its three-valued logic and its messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.selection import parse, unparse
from synthvlm_ui.selection.expressions import Column, Comparison, Constant, Joined, Not, Truth
from synthvlm_ui.selection.filters import matching

COLUMNS = {"x": np.array([1, 2, np.nan, 4], "f4"), "verdict": np.array([1, -1, 0, 0], "i1"),
           "ok": np.array([True, True, True, False]), "name": np.array([b"a", b"b", b"c", b"d"], "S16"),
           "generator": np.array(["sdxl", "sdxl", "tiny", "tiny"])}


def rows(text):
    return list(np.flatnonzero(matching(text, COLUMNS)))


@pytest.mark.parametrize(("text", "expected"), [
    ("x >= 2", [1, 3]), ("not x >= 2", [0]), ("x != 2", [0, 3]), ("not (x != 2)", [1]), ("1 < x <= 4", [1, 3]),
    ("x < 2 or x > 2", [0, 3]), ("verdict == keep", [0]), ("verdict=reject", [1]), ("verdict == clear", [2, 3]),
    ("ok", [0, 1, 2]), ("not ok", [3]), ("ok == true and not x > 1", [0]), ("x", [0, 1, 3]),
    ("name == 'b'", [1]), ('generator != "tiny"', [0, 1]), ("x > 1 and ok or verdict == keep", [0, 1]),
    ("x > 1 and (ok or verdict == keep)", [1]), ("NOT ok OR x == 1", [0, 3]), ("not not ok", [0, 1, 2]),
    ("x > -1e0", [0, 1, 3]), ("x >.5", [0, 1, 3]), ("x > 100 or ok", [0, 1, 2]), ("x > 1 and not ok", [3]),
])
def test_rows_that_match(text, expected):
    assert rows(text) == expected


def test_a_threshold_is_compared_in_the_precision_of_the_column():
    assert matching("c >= 0.3", {"c": np.array([0.3], "f4")}).all()


names = st.sampled_from(["x", "ok", "clip_cosine", "_a1"]).map(Column)
constants = (st.floats(allow_nan=False, allow_infinity=False) | st.text("ab c'", max_size=4)).map(Constant)
operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
comparisons = st.builds(lambda first, rest: Comparison((first, *(t for _, t in rest)), tuple(o for o, _ in rest)),
                        names, st.lists(st.tuples(operators, names | constants), min_size=1, max_size=3))
trees = st.recursive(
    names.map(Truth) | comparisons,
    lambda inner: inner.map(Not) | st.builds(Joined, st.sampled_from(["and", "or"]),
                                             st.lists(inner, min_size=2, max_size=3).map(tuple)), max_leaves=12)


@given(trees)
def test_a_tree_survives_being_written_and_read(tree):
    assert parse(unparse(tree)) == tree


@pytest.mark.parametrize(("text", "position"), [
    ("", 1), ("x >", 4), ("x > 1 and", 10), ("(x > 1", 7), ("x > 1)", 6), ("x > 1 x", 7), ("x > $", 5), ("3", 2),
    ("3 < 4", 6), ("x ! 3", 3), ("and x", 1), ("x > 1.2.3", 5), ("x > 3a", 5), ('x == "open', 6),
    ("x == 1 == == 2", 11),
    ("(" * 200 + "x" + ")" * 200, 51), ("not " * 200 + "x", 201), ("__import__('os')", 11),
])
def test_what_is_not_a_filter_is_refused_with_its_position(text, position):
    with pytest.raises(BadSetting, match=rf"position {position}\b"):
        parse(text)


@given(st.text("x><=!()andort 1.'\"", max_size=30))
def test_any_text_either_parses_or_is_refused(text):
    try:
        tree = parse(text)
    except BadSetting:
        return
    assert parse(unparse(tree)) == tree


def test_texts_and_numbers_do_not_mix_and_unknown_columns_are_named():
    for text in ("x == 'a'", "name > 1", "name", "x == y"):
        with pytest.raises(BadSetting):
            matching(text, COLUMNS)
    with pytest.raises(BadSetting, match="generator, name, ok, verdict, x"):
        matching("clip > 1", COLUMNS)
