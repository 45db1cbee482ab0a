"""What holds for any captions: arrays equal the plain definitions, blocks change nothing, marks are places."""

from __future__ import annotations

import numpy as np
import plain_rules
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthvlm_ui.captions.rules import BY_NAME, RULES, changed, decide, measure_texts, preset_settings
from synthvlm_ui.captions.rules import measuring as measuring_module
from synthvlm_ui.captions.rules.flagged_words import SHIPPED_LIST, read_words
from synthvlm_ui.captions.rules.length import count_tokens
from synthvlm_ui.captions.rules.text_block import TextBlock

WORDS = st.sampled_from(["a", "red", "Fox", "İx", "ΟΔΟΣ", "nude", "«tree»", "5.0L", "🐈", "ß", "\u00a0", "--", "the"])
SENTENCES = st.lists(WORDS, max_size=40).map(" ".join)
TEXTS = st.one_of(SENTENCES, st.text(max_size=60), st.text(alphabet="ab ,.\n\t", max_size=60))
SETS = st.lists(TEXTS, max_size=12)
FLAGGED = read_words(SHIPPED_LIST)


@given(SETS)
@example(["", " ", "\n\t", "İİ İ", "ab" * 30, "Г Г", "\ud800"])
@settings(max_examples=60)
def test_arrays_equal_the_plain_definitions(texts: list[str]) -> None:
    found = measure_texts(texts, {})
    for name, plain in (("alphanumeric", plain_rules.alphanumeric), ("special_characters", plain_rules.special),
                        ("character_repetition", plain_rules.character_repetition),
                        ("word_repetition", plain_rules.word_repetition), ("characters", len),
                        ("words", lambda text: len(plain_rules.refined(text))),
                        ("flagged_words", lambda text: plain_rules.flagged(text, FLAGGED)), ("tokens", count_tokens)):
        assert found[name].tolist() == [plain(text) for text in texts], name


@given(SETS, st.integers(1, 5))
@settings(max_examples=25)
def test_blocks_change_nothing(texts: list[str], size: int) -> None:
    whole = measure_texts(texts, {})
    before, measuring_module.BLOCK = measuring_module.BLOCK, size
    try:
        parts = measure_texts(texts, {})
    finally:
        measuring_module.BLOCK = before
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name], err_msg=name)


@given(SETS, st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_captions_only_matters_for_duplicates(texts: list[str], chance: object) -> None:
    order = list(range(len(texts)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    first, second = measure_texts(texts, {}), measure_texts([texts[place] for place in order], {})
    for name in (rule.name for rule in RULES if rule.family == "text"):
        np.testing.assert_array_equal(first[name][order], second[name], err_msg=name)
    settings_ = changed(preset_settings("plain"), ["exact_duplicates=on"])
    kept = [decide(settings_, columns, len(texts), {}).survives.sum() for columns in (first, second)]
    assert kept[0] == kept[1], "a group of duplicates has one survivor, whichever comes first"


@given(SETS)
@settings(max_examples=25)
def test_what_survived_survives_again(texts: list[str]) -> None:
    chosen = changed(preset_settings("synthvlm"), ["exact_duplicates=on", "tokens=on", "prompt_echo=on"])
    survives = decide(chosen, measure_texts(texts, {}), len(texts), {}).survives
    left = [text for text, kept in zip(texts, survives, strict=True) if kept]
    assert decide(chosen, measure_texts(left, {}), len(left), {}).survives.all()


@given(TEXTS)
def test_marks_are_places_of_the_caption(text: str) -> None:
    for rule in RULES:
        last = 0
        for start, end in rule.mark(text, rule.options({})):
            assert last <= start < end <= len(text), rule.name
            last = end


@given(SETS)
@settings(max_examples=25)
def test_steps_add_up(texts: list[str]) -> None:
    decision = decide(preset_settings("plain"), measure_texts(texts, {}), len(texts), {"perplexity": "no model"})
    entered = len(texts)
    for step in decision.steps:
        assert step.entered == entered and step.rejected <= step.alone
        entered = step.left
    assert entered == int(decision.survives.sum())


def test_repeated_runs_are_marked_and_nothing_else_is() -> None:
    text = "first clockwise then counterclockwise"
    marks = BY_NAME["character_repetition"].mark(text, {"n": 9})
    assert [text[start:end] for start, end in marks] == ["clockwise", "clockwise"]


def test_a_block_has_a_size() -> None:
    with pytest.raises(ValueError, match="at most"):
        TextBlock([""] * 40_000)
