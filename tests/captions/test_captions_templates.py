"""Prompts made from templates, and words a small vocabulary does not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.captions import Template, check_template, resolve, unknown_words, wildcard_files
from synthvlm_ui.errors import BadSetting, UnknownName


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


def lines_of(name):
    return {"toy": ["cat", "owl"], "hair_colour": ["red"]}[name]


def test_choices_and_wildcards_follow_the_seed():
    text = "a {photo|{pencil|oil} painting|} of {caption} and a __toy__ with __hair_colour__ hair"
    template = Template(text, lines_of)
    assert template.varies
    found = {template.resolve("two dogs", seed) for seed in range(200)}
    assert len(found) == 8
    assert "a oil painting of two dogs and a owl with red hair" in found
    assert "a  of two dogs and a cat with red hair" in found
    assert template.resolve("x", 5) == template.resolve("x", 5)


@given(st.text())
def test_a_caption_with_choices_and_wildcards_in_it_stays_as_it_is(caption):
    assert resolve("{a|a}: {caption}", caption, 3) == f"a: {caption}"


@given(st.text(max_size=60))
def test_a_typed_prompt_is_never_refused_for_its_braces(text):
    plain = text.replace("|", "").replace("_", "")
    assert Template(plain, with_caption=False).resolve() == plain
    assert not Template(plain, with_caption=False).varies


def test_variations_are_different_and_no_more_than_there_are():
    template = Template("a {red|blue} {cat|dog}", with_caption=False)
    assert sorted(template.variations(10)) == ["a blue cat", "a blue dog", "a red cat", "a red dog"]
    assert len(template.variations(3, 1)) == 3
    assert Template("a cat", with_caption=False).variations(5) == ["a cat"]


@pytest.mark.parametrize("template", ["{caption} {a|b", "{caption} a|b}", "{a|{caption}} {x}", "{a|b}", "{" * 20
                                      + "a|" + "}" * 20])
def test_a_choice_that_is_not_closed_or_has_no_caption_is_refused(template):
    with pytest.raises(BadSetting, match="caption"):
        check_template(template)


def test_a_choice_may_hold_the_caption():
    assert {resolve("{only {caption}|{caption} twice}!", "x", seed) for seed in range(20)} == {"only x!", "x twice!"}


def test_wildcards_are_files_by_name_and_nothing_else(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "toy.txt").write_text("# comment\n\n bear \n", encoding="utf-8")
    (tmp_path / "toy.txt").write_text("cat\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    find = wildcard_files(tmp_path / "own", tmp_path)
    assert find("toy") == ["bear"]
    with pytest.raises(UnknownName, match="nosuch") as caught:
        Template("{caption} __nosuch__", find)
    assert "toy" in caught.value.fix
    with pytest.raises(BadSetting, match="no line"):
        find("empty")
    assert not Template("{caption} __../toy__", find).varies
    assert not Template("{caption} ____ __init", find).varies
