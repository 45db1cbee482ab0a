"""Thresholds, gaps and maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.diversity import counts_of, entropy_bits, entropy_by_cut, fill_up


def test_a_point_of_the_curve_is_what_its_threshold_keeps() -> None:
    chance = np.random.default_rng(0)
    codes = chance.integers(-1, 4, 300).astype(np.int16)
    scores = chance.integers(0, 12, 300) / 10
    scores[5] = np.nan
    curve = entropy_by_cut(codes, scores, 4, points=20)
    assert len(curve) > 5 and curve[0]["share"] == 1
    for point in curve:
        kept = (codes >= 0) & (scores >= point["threshold"])
        assert point["kept"] == kept.sum()
        assert point["entropy_bits"] == pytest.approx(entropy_bits(counts_of(codes[kept], 4)), abs=1e-12)
    assert entropy_by_cut(np.full(9, -1, np.int16), scores[:9], 4) == []


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.integers(1, 60))
def test_filling_up_raises_the_smallest_and_no_other_way_gives_more_entropy(sizes: list[int], more: int) -> None:
    counts = np.array(sizes)
    added = fill_up(counts, more)
    assert added.sum() == more and (added >= 0).all()
    grown, level = counts + added, (counts + added)[added > 0].max()
    assert (grown >= level - 1).all(), "whatever was given something is at most one above everything else"
    chance = np.random.default_rng(more)
    for _ in range(5):
        other = np.bincount(chance.integers(0, len(sizes), more), minlength=len(sizes))
        assert entropy_bits(counts + other) <= entropy_bits(grown) + 1e-9
