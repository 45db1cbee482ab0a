"""CMMD and the Fréchet distance against brute force and against eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest

from synthvlm_ui.comparison import cmmd, frechet_distance
from synthvlm_ui.errors import BadSetting, EmptyInput

RNG = np.random.default_rng(3)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def brute_force_cmmd(first: np.ndarray, second: np.ndarray) -> float:
    """Every pair one by one, sigma 10, times 1,000."""
    def mean(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.mean([[np.exp(-np.sum((a - b) ** 2) / 200) for b in other] for a in one]))
    return 1000 * (mean(first, first) + mean(second, second) - 2 * mean(first, second))


@pytest.mark.parametrize("shift", [0.0, 0.4, 5.0])
def test_cmmd_is_the_brute_force_mmd(shift: float) -> None:
    first = unit(RNG.normal(size=(23, 9)))
    second = unit(RNG.normal(size=(31, 9)) + shift)
    assert cmmd(first, second).value == pytest.approx(brute_force_cmmd(first, second), abs=1e-9)


def test_cmmd_in_blocks_is_cmmd_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = RNG.normal(size=(50, 6)), RNG.normal(size=(40, 6)) + 0.3
    whole = cmmd(first, second).value
    monkeypatch.setattr("synthvlm_ui.comparison.distances._BLOCK_ROWS", 7)
    assert cmmd(first, second).value == pytest.approx(whole, abs=1e-12)


def test_cmmd_knows_no_scale_order_or_side_and_is_zero_for_one_set() -> None:
    first, second = RNG.normal(size=(30, 5)) + 0.5, RNG.normal(size=(25, 5))
    value = cmmd(first, second).value
    assert cmmd(second[::-1] * 7, first).value == pytest.approx(value, abs=1e-10)
    assert cmmd(first, first).value == pytest.approx(0, abs=1e-10)
    assert value > 0


def test_chance_is_what_two_samples_of_one_set_give() -> None:
    rows = RNG.normal(size=(600, 4)) + 1
    same = [cmmd(rows[place::2], rows[1 - place :: 2], seed=place) for place in (0, 1)]
    assert all(0 < found.value < 1.5 * found.chance for found in same if found.chance)
    apart = cmmd(rows[:300], rows[300:] - 1)
    assert apart.chance is not None and apart.value > 10 * apart.chance
    assert cmmd(rows[:20], rows[20:40]).chance > 5 * same[0].chance  # type: ignore[operator]


def test_above_the_limit_a_seeded_sample_is_taken() -> None:
    rows, other = RNG.normal(size=(300, 4)), RNG.normal(size=(300, 4)) + 1
    once = cmmd(rows, other, max_rows=60, seed=5)
    assert once.n == (60, 60) and once == cmmd(rows, other, max_rows=60, seed=5)
    assert once.value == pytest.approx(cmmd(rows, other).value, rel=0.5)


def test_half_precision_as_it_is_stored_is_precise_enough() -> None:
    first, second = unit(RNG.normal(size=(200, 32))), unit(RNG.normal(size=(200, 32)) + 0.1)
    stored = cmmd(first.astype(np.float16), second.astype(np.float16)).value
    assert stored == pytest.approx(cmmd(first, second).value, rel=2e-3)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(BadSetting, match="dimensions"):
        cmmd(np.ones((3, 4)), np.ones((3, 5)))
    with pytest.raises(EmptyInput):
        cmmd(np.ones((0, 4)), np.ones((3, 4)))
    with pytest.raises(BadSetting, match="not finite"):
        cmmd(np.full((3, 4), np.nan), np.ones((3, 4)))


@pytest.mark.parametrize(("rows", "dimensions"), [(200, 6), (5, 12)])
def test_the_frechet_distance_is_the_textbook_one(rows: int, dimensions: int) -> None:
    first = RNG.normal(size=(rows, dimensions)) @ RNG.normal(size=(dimensions, dimensions))
    second = RNG.normal(size=(rows + 3, dimensions)) * 2 + 1
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # The trace of a matrix root is the sum of the roots of the eigenvalues.
    root = np.sqrt(np.maximum(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0)).sum()
    expected = np.sum((first.mean(0) - second.mean(0)) ** 2) + np.trace(covariances[0] + covariances[1]) - 2 * root
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-8)


def test_one_row_has_no_covariance() -> None:
    with pytest.raises(BadSetting):
        frechet_distance(np.ones((1, 3)), np.ones((4, 3)))
