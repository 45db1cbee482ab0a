"""A blind study: sides and order are random and stay, and what is counted is what was said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthvlm_ui.comparison import Ratings, agreement_with_score, summary, trials_of

PAIRS = [(f"real-{n}", f"made-{n}") for n in range(40)]


def test_a_rater_sees_every_pair_once_in_an_order_of_their_own() -> None:
    ada, bob = trials_of(PAIRS, 1, "ada"), trials_of(PAIRS, 1, "bob")
    assert ada == trials_of(PAIRS, 1, "ada")
    assert sorted(trial.pair for trial in ada) == list(range(40))
    assert [trial.pair for trial in ada] != [trial.pair for trial in bob]
    assert [trial.pair for trial in ada] != [trial.pair for trial in trials_of(PAIRS, 2, "ada")]


@settings(max_examples=40)
@given(st.integers(0, 30), st.integers(0, 2**40), st.text(max_size=5))
def test_either_side_comes_first_equally_often(count: int, seed: int, rater: str) -> None:
    trials = trials_of(PAIRS[:count], seed, rater)
    assert abs(2 * sum(trial.synthetic_is_first for trial in trials) - count) <= 1
    for trial in trials:
        assert {trial.first, trial.second} == set(PAIRS[trial.pair])
        assert (trial.first == PAIRS[trial.pair][1]) == trial.synthetic_is_first


def test_a_choice_means_the_picture_and_not_the_side() -> None:
    for trial in trials_of(PAIRS, 0, "ada"):
        assert trial.outcome("1") == ("synthetic" if trial.first.startswith("made") else "real")
        assert trial.outcome("2") == ("synthetic" if trial.second.startswith("made") else "real")
        assert trial.outcome("tie") == "tie" and trial.outcome("skip") == "skip"


def test_ratings_are_counted_with_an_interval_and_the_latest_counts() -> None:
    ratings = Ratings()
    for pair in range(20):
        ratings.add("ada", pair, "real")
    for pair in range(15):
        ratings.add("ada", pair, "synthetic")
    ratings.add("ada", 20, "tie")
    ratings.add("ada", 21, "skip")
    found = summary(ratings, 40)
    assert found["counts"] == {"synthetic": 15, "real": 5, "tie": 1, "skip": 1}
    assert found["win_rate"] == 0.75 and found["win_rate_ties_half"] == pytest.approx(15.5 / 21)
    assert found["interval"][0] == pytest.approx(0.5313, abs=1e-4) and found["interval_by"] == "Wilson"
    assert found["agreement"] is None and found["raters"][0]["left"] == 18


def test_two_raters_agree_or_do_not() -> None:
    ratings = Ratings()
    for pair in range(10):
        ratings.add("ada", pair, "synthetic" if pair % 2 else "real")
        ratings.add("bob", pair, "synthetic" if pair % 2 else "real")
    perfect = summary(ratings, 10)["agreement"]
    assert perfect["krippendorff_alpha"] == perfect["fleiss_kappa"] == perfect["pairwise"][0]["kappa"] == 1
    ratings.add("bob", 0, "skip")
    assert summary(ratings, 10)["agreement"]["rated_by_all"] == 9
    for pair in range(10):
        ratings.add("bob", pair, "real" if pair % 2 else "synthetic")
    assert summary(ratings, 10)["agreement"]["pairwise"][0]["kappa"] == -1
    assert summary(ratings, 10)["interval_by"] == "resampled pairs"


def test_nobody_has_rated_yet() -> None:
    found = summary(Ratings(), 3)
    assert found["win_rate"] is None and found["interval"] is None and found["ratings"] == 0


def test_agreement_with_a_score_leaves_out_what_the_score_cannot_tell() -> None:
    ratings = Ratings()
    for pair, outcome in enumerate(["synthetic", "synthetic", "real", "real", "tie", "synthetic"]):
        ratings.add("ada", pair, outcome)  # type: ignore[arg-type]
    found = agreement_with_score(ratings, {0: 0.1, 1: -0.2, 2: -0.3, 3: math.nan, 4: 1.0, 5: 0.0})
    assert (found["n"], found["share"]) == (3, pytest.approx(2 / 3))
    assert agreement_with_score(ratings, {}) == {"n": 0, "share": None, "interval": None}
