"""Histograms against numpy's, and near duplicates against all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.selection import Binning, histogram, near_pairs


@given(st.lists(st.floats(-1, 2, width=32) | st.just(float("nan")) | st.sampled_from([0.0, 0.1, 0.25, 0.3, 1.0])),
       st.integers(1, 70), st.integers(0, 1000))
def test_counts_are_numpys(values, bins, seed):
    column = np.array(values, "f4")
    mask = np.random.default_rng(seed).random(len(column)) < 0.5
    total, kept = histogram(column, bins, (0.0, 1.0), mask)
    edges = np.linspace(0, 1, bins + 1)
    assert list(total) == list(np.histogram(column.astype("f8"), edges)[0])
    assert list(kept) == list(np.histogram(column[mask].astype("f8"), edges)[0])
    binning = Binning(column, bins, (0.0, 1.0))
    assert binning.total.sum() + binning.below + binning.above + binning.missing == len(column)


def test_a_histogram_without_a_range_is_refused():
    for bins, limits in ((0, (0, 1)), (5, (1, 1)), (5, (0, float("nan")))):
        with pytest.raises(BadSetting):
            Binning(np.zeros(3, "f4"), bins, limits)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 60), st.integers(0, 8))
def test_near_pairs_are_all_pairs_within_the_radius(seed, size, radius):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 4, dtype=np.uint64)[rng.integers(0, 4, size)]
    for _ in range(5):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, size).astype(np.uint64))
    hashes = np.unique(hashes)
    left, right = near_pairs(hashes, radius)
    expected = {(a, b) for a in range(len(hashes)) for b in range(a + 1, len(hashes))
                if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= radius}
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == sorted(expected)
