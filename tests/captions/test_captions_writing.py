"""Asking for captions by class: which classes are drawn, what is asked, and what is kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.captions import (
    ClassList,
    Synth2Profile,
    draw_classes,
    entropy_bits,
    read_classes,
    reason_of,
    same_caption,
    word_range,
)
from synthvlm_ui.captions.writing import names_object
from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.grammar import parse
from synthvlm_ui.miniature.writing import SmallWorldProfile

GOOD = ("This is an image of a red fox that stands on a snowy path between two dark pine trees, with its head turned "
        "to the left, a wooden fence behind it and grey clouds above the distant hills.")


def test_the_shipped_list_is_broad_and_clean() -> None:
    shipped = read_classes()
    assert len(shipped.names) >= 1000
    assert shipped.weights is not None and len(shipped.weights) == len(shipped.names) and min(shipped.weights) > 0
    assert {"house", "tiger", "fire hydrant", "waterfall", "sandwich"} <= set(shipped.names)
    assert all(name == name.strip().lower() for name in shipped.names)
    assert all(name.replace("-", " ").replace(" ", "").isalpha() for name in shipped.names)


@pytest.mark.parametrize(("text", "names"), [
    ("cat\n\n# no\ndog\ncat\n  fire_hydrant \n", ("cat", "dog", "fire hydrant")),
    ("n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n", ("tench", "goldfish")),
    ("n01440764\ttench, Tinca tinca\n", ("tench",)),
    ("cat\t3\ndog\t1\n", ("cat", "dog")),
    ("name\tcount\ncat\t3\n", ("cat",)),
    ("\ufeffcat\r\nchâteau\r\n", ("cat", "château")),
])
def test_lists_of_the_user_are_read(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / "classes.txt").write_bytes(text.encode("utf-8"))
    assert read_classes(tmp_path / "classes.txt").names == names


def test_a_list_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("# only\n\n")
    with pytest.raises(EmptyInput):
        read_classes(tmp_path / "classes.txt")


LIST = ClassList(("a", "b", "c", "d", "e"), (16.0, 8.0, 4.0, 2.0, 1.0))


@given(st.integers(1, 60), st.integers(0, 5))
def test_balanced_draws_differ_by_at_most_one(count: int, seed: int) -> None:
    counts = Counter(draw_classes(LIST, count, seed, "balanced"))
    assert counts.total() == count
    assert max(counts.values()) - min(counts.get(name, 0) for name in LIST.names) <= 1


def test_draws_follow_their_seed_and_their_sampling() -> None:
    for sampling in ("uniform", "balanced", "natural"):
        assert draw_classes(LIST, 50, 1, sampling) == draw_classes(LIST, 50, 1, sampling)
        assert draw_classes(LIST, 50, 1, sampling) != draw_classes(LIST, 50, 2, sampling)
    spread = {sampling: entropy_bits(Counter(draw_classes(LIST, 2000, 0, sampling)))
              for sampling in ("balanced", "uniform", "natural")}
    assert spread["balanced"] >= spread["uniform"] > spread["natural"]
    with pytest.raises(BadSetting, match="natural"):
        draw_classes(ClassList(("a",)), 1, 0, "natural")


def test_the_prompt_is_that_of_the_paper_with_the_class_in_it() -> None:
    prompt = Synth2Profile().prompt("fire hydrant", 0)
    assert "contains the following object: fire hydrant." in prompt
    assert "30-40 words" in prompt and "This is an image of" in prompt and "[object]" not in prompt


@pytest.mark.parametrize(("text", "reason"), [
    (GOOD, None), (f'"{GOOD}"', None), (f"\u201c{GOOD}\u201d\n", None), (GOOD.replace("fox", "foxes"), None),
    (GOOD.replace("red fox", "Red-Fox"), None),
    ("I'm sorry, but I cannot describe a fox.", "refusal"), ("As an AI language model I see no fox.", "refusal"),
    (GOOD.replace("This is an image of", "Here stands"), 'does not begin with "This is an image of"'),
    (GOOD.replace("fox", "dog"), "does not name the object"),
    (GOOD.replace("fox", "foxglove"), "does not name the object"),
    ("This is an image of a fox.", "fewer than 30 words"), (GOOD + " " + GOOD, "more than 40 words"),
    ("", "empty caption"), ("This is an image of a fox\x00", "control characters"),
])
def test_what_is_no_caption_of_the_class_has_a_reason(text: str, reason: str | None) -> None:
    caption, found = reason_of(text, "fox", Synth2Profile())
    assert found == reason
    if reason is None:
        assert caption.startswith("This is") and "\n" not in caption


@pytest.mark.parametrize(("text", "name", "found"), [
    ("three cherries", "cherry", True), ("two knives", "knife", True), ("a fire-hydrant", "fire hydrant", True),
    ("fire hydrants", "fire hydrant", True), ("hydrant fire", "fire hydrant", False), ("a category", "cat", False),
    ("Mice", "mouse", True), ("firemen", "fireman", True), ("CHÂTEAU", "château", True), ("", "cat", False),
])
def test_the_object_is_found_as_a_word(text: str, name: str, found: bool) -> None:
    assert names_object(text, name) is found


@given(st.text())
def test_the_same_caption_is_the_same_whatever_its_case_and_points(text: str) -> None:
    assert same_caption(same_caption(text)) == same_caption(text)


def test_duplicates_are_seen_through_case_and_points() -> None:
    assert same_caption("A red fox.") == same_caption("a  RED fox!")


@pytest.mark.parametrize("text", ["", "30", "40:30", "a:b", "0:5", "1:1000", "-1:5"])
def test_a_range_of_words_is_two_numbers(text: str) -> None:
    with pytest.raises(BadSetting):
        word_range(text)


def test_a_prompt_of_ones_own_needs_the_object() -> None:
    assert Synth2Profile(template="Draw [object].").problem(GOOD, "fox") is None
    with pytest.raises(BadSetting, match="object"):
        Synth2Profile(template="Draw something.")


def test_openings_of_the_small_world_begin_sentences_of_its_grammar() -> None:
    profile = SmallWorldProfile()
    openings = [profile.prompt(name, seed) for seed, name in enumerate(words.NOUNS * 3)]
    assert all(parse(opening) is not None for opening in openings)
    assert all(profile.problem(opening, name) is None for opening, name in zip(openings, words.NOUNS * 3, strict=True))
    assert len(set(openings)) > 100


@pytest.mark.parametrize(("text", "name", "reason"), [
    ("a red cat on a green meadow", "cat", None), ("two cats and nonsense", "cat", "no sentence of the small world"),
    ("a red dog on a green meadow", "cat", "does not name the object"),
    ("a red cat above a blue cat on a green meadow", "cat", "says the object twice"),
    ("a red cat", "zebra", "no class of the small world"),
])
def test_the_small_world_checks_with_its_own_grammar(text: str, name: str, reason: str | None) -> None:
    assert SmallWorldProfile().problem(text, name) == reason
