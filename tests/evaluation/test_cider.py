"""CIDEr: the numbers of the reference implementation, and what must hold for any captions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.evaluation import cider, plain_words

CANDIDATES = [
    "a red car on a street", "two dogs run over the green grass", "a man", "", "a cat sleeps on a cat on a cat",
    "the the the the",
]  # fmt: skip
REFERENCES = [
    ["a red car on the street", "a car parked in a street"],
    ["two dogs run over grass", "dogs play", "two brown dogs run across the green grass in a park"],
    ["a man rides a horse on a beach"],
    ["an empty street"],
    ["a cat sleeps on a sofa", "the cat"],
    ["the the dog the the the"],
]
# What CiderScorer of pycocoevalcap 1.2 (n=4, sigma=6) says about the same words.
SCORES = [4.02689320412403, 2.8912960980924254, 1.395090812830781, 0.0, 2.1680800812652508, 4.502369865046835]

sentence = st.lists(st.sampled_from("a the red dog runs on green grass".split()), min_size=1, max_size=9).map(" ".join)
pictures = st.lists(st.tuples(sentence, st.lists(sentence, min_size=1, max_size=3)), min_size=2, max_size=6)


def test_scores_are_those_of_the_reference_implementation() -> None:
    mean, scores = cider(CANDIDATES, REFERENCES)
    assert scores == pytest.approx(SCORES, abs=1e-9)
    assert mean == pytest.approx(2.497288343559887, abs=1e-9)


def test_a_copy_of_the_only_reference_scores_ten() -> None:
    texts = ["one small red boat", "seven very large green trees"]
    assert cider(texts, [[text] for text in texts])[1] == pytest.approx([10, 10])


@given(pictures)
def test_scores_lie_between_zero_and_ten_and_follow_their_picture(rows) -> None:
    texts, references = [text for text, _ in rows], [several for _, several in rows]
    mean, scores = cider(texts, references)
    assert (scores >= 0).all() and (scores <= 10 + 1e-9).all() and mean == pytest.approx(scores.mean())
    turned = cider(texts[::-1], references[::-1])[1][::-1]
    assert np.allclose(turned, scores)


@pytest.mark.parametrize("texts, references", [([], []), (["a"], []), (["a", "b"], [["a"], []])])
def test_missing_captions_are_refused(texts, references) -> None:
    with pytest.raises(ValueError, match="one caption"):
        cider(texts, references)


def test_plain_words_have_no_case_and_no_punctuation() -> None:
    assert plain_words("On a Meadow, a dog's BONE.") == "on a meadow a dog's bone"
