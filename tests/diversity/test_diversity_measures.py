"""Concentration and entropy: Synth2's Table 8, brute force, and what must not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sets import TABLE_8, K, rows_of, sizes_of

from synthvlm_ui.diversity import Diversity, concentration, counts_of, differences, entropy_bits, measure
from synthvlm_ui.errors import BadSetting, EmptyInput

COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any).map(np.array)


def test_the_rows_of_table_8_are_measured_back_to_the_printed_digits() -> None:
    chance = np.random.default_rng(8)
    sets = {name: rows_of(chance.permutation(sizes_of(*printed)), seed)
            for seed, (name, printed) in enumerate(TABLE_8.items())}
    found = measure(sets, k=K, sample_rows=6000, fits=3)
    for name, numbers in found.sets().items():
        printed = round(100 * numbers["top3"], 1), round(100 * numbers["top5"], 1), round(numbers["entropy_bits"], 2)
        assert printed == TABLE_8[name]
    said = {(each["a"], each["b"]): each for each in found.differences()}
    assert all(each["differs"] for each in said.values())
    assert said["GenPair", "WebLI"]["statement"].startswith("GenPair is more diverse than WebLI by 0.38 bit")


@given(COUNTS)
def test_numbers_are_those_of_a_brute_force_computation(counts: np.ndarray) -> None:
    whole = [int(count) for count in counts]
    total = sum(whole)
    bits = math.fsum(-(count / total) * math.log2(count / total) for count in whole if count)
    assert entropy_bits(counts) == pytest.approx(bits, abs=1e-12)
    for top in (1, 3, 5):
        assert concentration(counts, top) == pytest.approx(sum(sorted(whole)[::-1][:top]) / total, abs=1e-12)
    assert Diversity.of(counts).effective_clusters == pytest.approx(2**bits, rel=1e-12)


@given(COUNTS, st.randoms(use_true_random=False))
def test_relabelling_clusters_changes_no_bit(counts: np.ndarray, random: object) -> None:
    order = list(range(len(counts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = Diversity.of(counts), Diversity.of(counts[order])
    assert (one.n, one.top3, one.top5, one.entropy_bits) == (other.n, other.top3, other.top5, other.entropy_bits)


@given(COUNTS)
def test_bounds(counts: np.ndarray) -> None:
    found = Diversity.of(counts)
    used = int((counts > 0).sum())
    assert 0 <= found.entropy_bits <= math.log2(used) + 1e-12
    assert 1 - 1e-12 <= found.effective_clusters <= used + 1e-9
    assert 0 < found.top3 <= found.top5 <= 1


@settings(max_examples=8)
@given(st.integers(0, 2**31), st.integers(40, 300))
def test_permuting_rows_changes_nothing(seed: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    sets = {"a": chance.normal(size=(count, 8)).astype(np.float32),
            "b": chance.normal(size=(count // 2, 8)).astype(np.float32)}
    orders = {name: chance.permutation(len(rows)) for name, rows in sets.items()}
    # fewer rows in the sample than in the sets, so that it matters which are drawn
    one = measure(sets, k=5, fits=2, sample_rows=count)
    other = measure({name: rows[orders[name]] for name, rows in sets.items()}, k=5, fits=2, sample_rows=count)
    assert one.sets() == other.sets()
    for name, order in orders.items():
        assert (one.codes[name][order] == other.codes[name]).all()


def test_an_empty_cluster_and_a_single_set_are_fine() -> None:
    sets = {"all": rows_of(np.array([30] * 6), 0), "half": rows_of(np.array([30, 30, 30, 0, 0, 0]), 1)}
    found = measure(sets, k=6, fits=2)
    assert sorted(found.sets()["half"]["cluster_sizes"]) == [0, 0, 0, 30, 30, 30]
    assert found.sets()["half"]["entropy_bits"] == pytest.approx(math.log2(3))
    alone = measure({"all": sets["all"]}, k=6, fits=2)
    assert alone.differences() == []
    assert alone.sets()["all"]["entropy_bits"] == pytest.approx(math.log2(6))


def test_equal_sets_do_not_differ() -> None:
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(600, 12)).astype(np.float32)
    said = measure({"one": rows[:300], "other": rows[300:]}, k=8, fits=3).differences()
    assert [each["differs"] for each in said] == [False]
    assert "do not differ beyond chance" in said[0]["statement"]


def test_one_fit_gives_no_band_and_still_a_statement() -> None:
    fits = {"a": [Diversity.of(np.array([500, 500]))], "b": [Diversity.of(np.array([990, 10]))]}
    assert differences(fits)[0]["differs"]


def test_rows_that_are_no_numbers_are_left_out_and_counted() -> None:
    rows = rows_of(np.array([20, 20, 20]), 0)
    rows[[3, 7]] = np.nan
    rows[9] = 0
    found = measure({"a": rows}, k=3, fits=1)
    assert found.sets()["a"]["left_out"] == 3 and found.sets()["a"]["n"] == 57
    assert (found.codes["a"][[3, 7, 9]] == -1).all() and np.isnan(found.closeness["a"][3])
    assert (counts_of(found.codes["a"], 3) == found.sets()["a"]["cluster_sizes"]).all()


@pytest.mark.parametrize(("sets", "k", "says"), [
    ({"a": np.ones((50, 4), np.float32)}, 2, "all rows are equal"),
    ({"a": np.eye(4, dtype=np.float32)}, 5, "only 4 different rows"),
    ({"a": np.eye(4, dtype=np.float32), "b": np.eye(5, dtype=np.float32)}, 2, "different models"),
    ({"a": np.eye(4, dtype=np.float32)}, 1, "not from 2"),
    ({"a": np.array(["x"])}, 2, "matrix of numbers"),
    ({}, 2, "no set"),
])
def test_bad_input_is_refused_with_the_reason(sets: dict[str, np.ndarray], k: int, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        measure(sets, k=k, fits=1)


@pytest.mark.parametrize("rows", [np.full((9, 4), np.nan, np.float32), np.zeros((0, 4), np.float32)])
def test_a_set_without_one_usable_row_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(EmptyInput):
        measure({"a": rows}, k=2, fits=1)
