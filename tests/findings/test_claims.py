"""Whether a finding holds follows from the numbers, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from synthvlm_ui.findings.claims.added import IMAGES, PARITY, TOGETHER, parity
from synthvlm_ui.findings.claims.captions import DIVERSITY, TRAINING
from synthvlm_ui.findings.claims.finding import Row, clearly_above, described
from synthvlm_ui.findings.claims.selected import LANGUAGE, SELECTION
from synthvlm_ui.findings.claims.sizes import SIZES
from synthvlm_ui.findings.claims.speed import SPEED


def cider(*values: float) -> list[dict[str, float]]:
    return [{"cider": value} for value in values]


def seeds(**tasks: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(tasks, numbers, strict=True)) for numbers in zip(*tasks.values(), strict=True)]


def test_a_gain_smaller_than_its_spread_does_not_hold() -> None:
    base = cider(100, 100, 100)
    assert TOGETHER.judge(seeds(real=base, both=cider(110, 112, 108))).holds
    assert not TOGETHER.judge(seeds(real=base, both=cider(101, 112, 96))).holds
    assert not TOGETHER.judge(seeds(real=base, both=cider(98, 97, 99))).holds


def test_one_seed_holds_by_its_sign() -> None:
    assert clearly_above([0.1]) and not clearly_above([-0.1])
    assert described(Row("x", [2.0]))["sd"] is None
    assert described(Row("x", [1.0, 3.0])) | {} == {
        "name": "x", "unit": "CIDEr", "paper": "", "mean": 2.0, "sd": pytest.approx(2**0.5), "n": 2}


def test_generated_images_must_help_and_come_near_real_ones() -> None:
    def holds(generated: float) -> bool:
        return IMAGES.judge(seeds(base=cider(100), real=cider(200), generated=cider(generated))).holds

    assert holds(190) and not holds(170) and not holds(90)


def test_tokens_must_be_faster_on_the_fly_at_equal_cider() -> None:
    def holds(fly: float, tokens: float) -> bool:
        rates = {"tokens_fly": fly, "pixels_fly": 1.0, "tokens_cached": 9.0, "pixels_cached": 3.0}
        return SPEED.judge(seeds(rates=[rates], tokens=cider(tokens), pixels=cider(100))).holds

    assert holds(1.2, 99) and not holds(1.02, 99) and not holds(1.2, 80)


def test_parity_is_read_between_points() -> None:
    curve = [(10, 50.0), (20, 100.0), (40, 120.0)]
    assert parity(curve, 75) == pytest.approx(15 / 40)
    assert parity(curve, 25) == pytest.approx(5 / 40)
    assert parity(curve, 500) == 1.0

    def holds(goal: float) -> bool:
        return PARITY.judge([{"real": {"cider": goal}, "both": {"cider": 120.0, "curve": curve}}]).holds

    assert holds(75) and not holds(119)


def test_diversity_is_judged_by_clusters() -> None:
    def holds(written: float) -> bool:
        numbers = {"entropy_bits": 3.0, "top5": 0.5, "object_entropy_bits": 1.0, "object_top5": 0.5}
        sets = {"written": numbers | {"entropy_bits": written}, "skewed": numbers}
        return DIVERSITY.judge([{"diversity": sets}]).holds

    assert holds(3.5) and not holds(2.9)


def test_training_and_selection_compare_with_the_right_arm() -> None:
    assert TRAINING.judge(seeds(written=cider(110), skewed=cider(100))).holds
    assert not TRAINING.judge(seeds(written=cider(100), skewed=cider(110))).holds
    scores = [{"clip_cosine": 0.5, "ssim": 0.5}]
    arms = {f"scores {order}": scores for order in ("random", "paper", "clip", "ssim")}
    arms |= {"random": cider(100), "clip": cider(120), "ssim": cider(90)}
    assert SELECTION.judge(seeds(**arms, paper=cider(105))).holds
    assert not SELECTION.judge(seeds(**arms, paper=cider(95))).holds


def test_language_is_better_where_perplexity_is_lower() -> None:
    def arm(after: float) -> list[dict[str, float]]:
        return [{"before": 3.0, "after": after, "under_pictures": 2.0}]

    assert LANGUAGE.judge(seeds(paper=arm(3.1), random=arm(3.4))).holds
    assert not LANGUAGE.judge(seeds(paper=arm(3.4), random=arm(3.1))).holds


def test_sizes_must_rise_all_the_way() -> None:
    def holds(*generated: float) -> bool:
        arms = {f"pool-generated {size}": cider(value) for size, value in zip((1, 2, 4), generated, strict=True)}
        return SIZES.judge(seeds(**arms, **{"pool-real 1": cider(5.0)})).holds

    assert holds(1, 2, 3) and not holds(1, 3, 2)
