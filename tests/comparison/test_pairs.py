"""Real and synthetic images of one caption, side by side and by their gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.comparison import flat_map, gaps, nearest_neighbour_share, order_of_captions, pair_up
from synthvlm_ui.comparison.overlap import principal
from synthvlm_ui.errors import BadSetting, EmptyInput


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


def test_principal_components_are_the_directions_of_most_spread() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4)) * np.array([0.1, 5, 0.2, 1])
    flat = principal(rows, 2)
    assert abs(np.corrcoef(flat[:, 0], rows[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(flat[:, 1], rows[:, 3])[0, 1]) > 0.9
    assert principal(rows[:, :1], 2).shape == (200, 2)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_map_keeps_sets_apart_that_are_apart(method: str) -> None:
    rng = np.random.default_rng(1)
    sets = [rng.normal(size=(30, 8)) * 0.1 + np.eye(8)[place] for place in (0, 3)]
    one, other = flat_map(sets, method)
    assert one.shape == other.shape == (30, 2)
    assert np.linalg.norm(one.mean(0) - other.mean(0)) > 2 * (one.std() if method == "tsne" else one.std(0).mean())


def test_maps_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(BadSetting, match="different models"):
        flat_map([np.ones((3, 4)), np.ones((3, 5))])
    with pytest.raises(EmptyInput):
        flat_map([np.ones((1, 4)), np.ones((1, 4))])
    with pytest.raises(BadSetting, match="pca"):
        flat_map([np.ones((3, 4))], "som")


def test_neighbours_tell_sets_apart_and_do_not_see_what_is_not_there() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 6))
    assert nearest_neighbour_share(rows[:200], rows[200:]) == pytest.approx(0.5, abs=0.08)
    assert nearest_neighbour_share(rows[:200] + 20, rows[200:]) > 0.95
    assert nearest_neighbour_share(rows, rows) < 0.01  # a copy is its own nearest neighbour in the other set
