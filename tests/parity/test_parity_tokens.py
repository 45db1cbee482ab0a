"""CLIP's tokens counted without torch against open_clip's own tokenizer."""

import pytest

from synthvlm_ui.captions import token_counts
from synthvlm_ui.models.torchvision_ops import ensure_importable

TEXTS = ["a red cat", "A  photo depicts\n two dogs' bowls", "it's 1984, isn't it?!", "naïve café in Zürich",
         "猫と犬 🙂🙂",
         "", "x" * 300, "under_score-and-dash... (really)", "I'll they've we're", "number 12345 and 3.14"]


def test_token_counts_are_open_clips() -> None:
    ensure_importable()
    from open_clip.tokenizer import SimpleTokenizer

    reference = SimpleTokenizer()
    assert token_counts(TEXTS).tolist() == [len(reference.encode(text)) + 2 for text in TEXTS]


def test_a_long_caption_is_told_from_a_short_one() -> None:
    assert token_counts(["cat " * 75, "cat " * 76]).tolist() == [77, 78]
    assert pytest.approx(2) == token_counts([""])[0]
