"""What a step draws: every pair once per round, weights as shares, and the same again from any step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_pairs import FewPairs

from synthvlm_ui.errors import BadSetting, CorruptData, EmptyInput
from synthvlm_ui.training import Mixture, Source
from synthvlm_ui.training.pictures import PictureBatches, square

FEW, MORE = FewPairs(5), FewPairs(7)


@given(seed=st.integers(0, 99), batch=st.integers(1, 9), rounds=st.integers(1, 4))
def test_every_pair_comes_once_in_a_round(seed: int, batch: int, rounds: int) -> None:
    mixture = Mixture([Source("few", FEW)], batch, seed)
    steps = -(-5 * rounds // batch)
    drawn = [draw.index for step in range(steps) for draw in mixture.draw(step)][: 5 * rounds]
    assert Counter(drawn) == {index: rounds for index in range(5)}


@given(seed=st.integers(0, 99), step=st.integers(0, 5000))
def test_a_step_draws_the_same_whatever_was_drawn_before(seed: int, step: int) -> None:
    sources = [Source("few", FEW, 1.0), Source("more", MORE, 3.0)]
    mixture = Mixture(sources, 4, seed)
    for earlier in range(3):
        mixture.draw(earlier)
    assert mixture.draw(step) == Mixture(sources, 4, seed).draw(step)
    assert len(mixture.draw(step)) == 4


def test_weights_are_shares_and_sizes_count_without_them() -> None:
    weighted = Mixture([Source("few", FEW, 1.0), Source("more", MORE, 3.0)], 8, 0)
    plain = Mixture([Source("few", FEW), Source("more", MORE)], 8, 0)
    assert weighted.shares == (0.25, 0.75) and plain.shares == pytest.approx((5 / 12, 7 / 12))
    drawn = Counter(draw.source for step in range(2000) for draw in weighted.draw(step))
    assert drawn[1] / drawn.total() == pytest.approx(0.75, abs=0.02)
    seen = {draw.index for step in range(40) for draw in weighted.draw(step) if draw.source == 0}
    assert seen == set(range(5))


def test_nothing_to_train_on_and_impossible_weights_are_refused() -> None:
    with pytest.raises(EmptyInput, match="has no pairs"):
        Mixture([Source("none", FewPairs(0))], 2, 0)
    with pytest.raises(EmptyInput):
        Mixture([], 2, 0)
    with pytest.raises(BadSetting, match="weight"):
        Mixture([Source("few", FEW, 0.0)], 2, 0)


def test_pictures_are_cut_to_the_middle_square() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    assert square(wide, 10).min() == 200
    assert square(wide, 4).shape == (4, 4, 3)


def test_a_picture_that_cannot_be_read_costs_only_itself() -> None:
    pairs = FewPairs(4)
    pairs.pairs[2] = (b"no image", "a caption")
    with PictureBatches(Mixture([Source("few", pairs)], 4, 0), 32) as batches:
        pixels, draws = batches.load(0)
        again, _ = batches.load(1)
        assert pixels.shape == again.shape == (4, 32, 32, 3)
        assert {draw.index for draw in batches.unreadable} == {2} and len(draws) == 4


def test_only_unreadable_pictures_are_an_error() -> None:
    pairs = FewPairs(2)
    pairs.pairs = [(b"no", "a"), (b"neither", "b")]
    with PictureBatches(Mixture([Source("few", pairs)], 2, 0), 8) as batches, pytest.raises(CorruptData, match="2 im"):
        batches.load(0)
