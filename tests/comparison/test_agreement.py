"""Intervals and coefficients of agreement against published examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.comparison import (
    clustered_interval,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    wilson_interval,
)


def test_wilson_is_the_published_interval() -> None:
    low, high = wilson_interval(81, 263)  # Newcombe 1998, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson_interval(0, 20) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_mirrors(trials: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, trials))
    low, high = wilson_interval(wins, trials)
    assert 0 <= low <= wins / trials + 1e-12 and wins / trials - 1e-12 <= high <= 1
    mirrored = wilson_interval(trials - wins, trials)
    assert mirrored == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_fleiss_kappa_of_the_textbook_example() -> None:
    """14 raters, 10 subjects, 5 categories: kappa 0.210."""
    counts = np.array([[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
                       [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]])
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)
    assert math.isnan(fleiss_kappa(np.array([[1, 2], [2, 2]])))


def test_krippendorff_alpha_of_the_four_observers() -> None:
    """Krippendorff 2011, example C: four observers, missing data, nominal alpha 0.743."""
    table = ["*1 2 3 3 2 1 4 1 2 * * *", "1 2 3 3 2 2 4 1 2 5 * 3", "* 3 3 3 2 3 4 2 2 5 1 *",
             "1 2 3 3 2 4 4 1 2 5 1 *"]
    rows = [row.replace("*1", "1").split() for row in table]
    units = [[row[item] for row in rows if row[item] != "*"] for item in range(12)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_krippendorff_alpha_at_its_ends() -> None:
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert math.isnan(krippendorff_alpha([["a"], ["b"]]))
    assert math.isnan(krippendorff_alpha([["a", "a"], ["a", "a"]]))
    assert krippendorff_alpha([["a", "b"], ["b", "a"]]) < 0


def test_cohen_kappa_of_the_textbook_example() -> None:
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert math.isnan(cohen_kappa(["a"], ["a"])) and math.isnan(cohen_kappa([], []))


def test_ratings_of_one_pair_are_not_counted_as_independent() -> None:
    alone = [[1.0]] * 30 + [[0.0]] * 20
    fourfold = [group * 4 for group in alone]
    assert clustered_interval(fourfold) == clustered_interval(alone)
    low, high = clustered_interval(alone)
    assert low < 0.6 < high and high - low > 0.2
    assert clustered_interval([]) == (0.0, 1.0)
