"""Values that were printed by the program that made SynthVLM's data, and what the two presets do with real captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthvlm_ui.captions.rules import changed, decide, measure_texts, preset_settings
from synthvlm_ui.captions.rules.settings import PRESETS

DEER = "Christmas scene featuring a deer among fir trees and twinkling lights."
JAGUAR = '2017 Jaguar XK Coupe - "Unleash the Power: 5.0L V8, 510 HP!"'
FAUCET = '"Adjusting Vanity Faucet: Turn clockwise to increase flow, counterclockwise to decrease."'
COUGAR = 'Cougar Dating Services: "Find Your Perfect Match!" with a scenic Alpine backdrop.'
SCREEN = "A computer screen showing the google search page."


@pytest.mark.parametrize(("text", "rule", "value"), [
    (DEER, "alphanumeric", 0.8428571429), (DEER, "special_characters", 0.1571428571),
    (JAGUAR, "alphanumeric", 0.7), (JAGUAR, "special_characters", 0.4666666667),
    (FAUCET, "character_repetition", 0.1), (SCREEN, "special_characters", 0.1633),
])
def test_statistics_are_those_that_were_printed(text: str, rule: str, value: float) -> None:
    measured = measure_texts([text], {})[rule][0]
    assert measured == pytest.approx(value, abs=5e-5 if rule == "special_characters" and text == SCREEN else 1e-10)


def test_one_flagged_word_in_twelve(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# a remark\ncougar\n")
    found = measure_texts([COUGAR], {"flagged_words": {"list": str(tmp_path / "words.txt")}})
    assert found["flagged_words"][0] == pytest.approx(0.0833333333, abs=1e-10)


def test_the_presets_differ_by_the_floor_of_special_characters_alone() -> None:
    paper, plain = (PRESETS[name] for name in ("synthvlm", "plain"))
    assert {name for name in paper if paper[name] != plain[name]} == {"special_characters"}
    assert "min" not in plain["special_characters"]
    columns = measure_texts([DEER, SCREEN, JAGUAR], {})
    kept = {name: decide(preset_settings(name), columns, 3, {}).survives.tolist() for name in PRESETS}
    assert kept == {"synthvlm": [False, False, False], "plain": [True, True, False]}


def test_the_table_is_the_papers() -> None:
    table = PRESETS["synthvlm"]
    assert list(table) == ["alphanumeric", "character_repetition", "flagged_words", "perplexity", "special_characters",
                           "word_repetition", "image_text_matching", "image_text_similarity"]
    assert (table["character_repetition"]["max"], table["word_repetition"]["max"]) == (0.09373663, 0.03085751)
    assert dict(table["special_characters"]) == {"min": 0.16534802, "max": 0.42023757}


def test_limits_are_inclusive() -> None:
    columns = {**measure_texts(["fox ..."], {}), "alphanumeric": np.array([0.6])}
    settings = changed(preset_settings("plain"), ["special_characters=off"])
    assert decide(settings, columns, 1, {}).survives.all()
    assert not decide(changed(settings, ["alphanumeric.min=0.6000001"]), columns, 1, {}).survives.any()
