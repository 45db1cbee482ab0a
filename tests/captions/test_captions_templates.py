"""Prompts made from templates, and words a small vocabulary does not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.captions import check_template, resolve, unknown_words
from synthvlm_ui.errors import BadSetting


@given(st.text(), st.text(st.characters(exclude_characters="{}")), st.text(st.characters(exclude_characters="{}")))
def test_a_caption_is_never_interpreted(caption, before, after):
    assert resolve(before + "{caption}" + after, caption) == before + caption + after


def test_doubled_braces_are_braces_and_a_caption_may_stand_twice():
    assert resolve("{{x}} {caption}, {caption}", "{id}") == "{x} {id}, {id}"


@pytest.mark.parametrize("template", ["a photo", "", "{text}", "{caption} {0}", "{}", "{caption", "caption}",
                                      "{caption.__class__}", "{caption!r}", "{caption:>9}", "{caption[0]}",
                                      "{{caption}}"])
def test_any_other_field_is_refused(template):
    with pytest.raises(BadSetting, match="caption"):
        check_template(template)


def test_unknown_words_carry_their_place():
    text = "Two Red cats and a light-blue zebra, dog's 3!"
    words = frozenset({"two", "red", "cats", "and", "a", "light", "blue"})
    found = unknown_words(text, words)
    assert found == [(30, 35, "zebra"), (37, 42, "dog's"), (43, 44, "3")]
    assert all(text[start:end] == word for start, end, word in found)
    assert unknown_words(text, ["Two", "RED"]) != [] and unknown_words("", words) == []
