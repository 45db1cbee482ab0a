"""Real and synthetic images of one caption, side by side and by their gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.comparison import gaps, nearest_neighbour_share, order_of_captions, pair_up
from synthvlm_ui.errors import BadSetting


@given(st.lists(st.integers(-1, 9), max_size=20), st.lists(st.integers(-1, 9), max_size=30))
def test_pairs_are_exactly_those_of_one_caption(reals: list[int], candidates: list[int]) -> None:
    pairs = pair_up(np.array(reals, np.int64), np.array(candidates, np.int64))
    newest = {code: row for row, code in enumerate(reals) if code >= 0}
    expected = sorted((code, newest[code], row) for row, code in enumerate(candidates) if code in newest)
    found = zip(pairs.caption_code.tolist(), pairs.real.tolist(), pairs.candidate.tolist(), strict=True)
    assert list(found) == expected


def test_captions_are_ordered_by_their_most_telling_candidate() -> None:
    pairs = pair_up(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1, 2, 3]))
    real = np.array([0.5, 0.5, 0.5, np.nan])
    gap = gaps(pairs, real, np.array([0.6, 0.45, 0.1, 0.52, 0.5, 0.9]))
    assert order_of_captions(pairs, gap, "largest-gap").tolist() == [1, 0, 2, 3]
    assert order_of_captions(pairs, gap, "synthetic-better").tolist() == [0, 1, 2, 3]
    assert order_of_captions(pairs, gap, "real-better").tolist() == [1, 0, 2, 3]
    assert order_of_captions(pairs, gap, "caption").tolist() == [0, 1, 2, 3]
    with pytest.raises(BadSetting):
        order_of_captions(pairs, gap, "best")


def test_neighbours_tell_sets_apart_and_do_not_see_what_is_not_there() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 6))
    assert nearest_neighbour_share(rows[:200], rows[200:]) == pytest.approx(0.5, abs=0.08)
    assert nearest_neighbour_share(rows[:200] + 20, rows[200:]) > 0.95
    assert nearest_neighbour_share(rows, rows) < 0.01  # a copy is its own nearest neighbour in the other set
