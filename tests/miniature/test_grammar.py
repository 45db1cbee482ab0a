"""Captions of the small world: what is said can be read back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.corpora import sample_scene
from synthvlm_ui.miniature.grammar import STYLES, Ground, Scene, Thing, parse, say, unknown_words

ASSETS = Path(__file__).parents[2] / "assets" / "miniature"

scenes = st.integers(0, 2**32 - 1).map(lambda seed: sample_scene(np.random.default_rng(seed)))


@given(scene=scenes, style=st.integers(0, STYLES - 1))
def test_every_caption_reads_back_as_its_scene(scene: Scene, style: int) -> None:
    assert parse(say(scene, style)) == scene


@given(scene=scenes, style=st.integers(0, STYLES - 1))
def test_captions_use_only_known_words(scene: Scene, style: int) -> None:
    assert unknown_words(say(scene, style)) == []


def test_the_example_of_the_readme_is_in_the_grammar() -> None:
    expected = Scene(Thing("apple", "red"), 1, "left", Thing("car", "blue"), Ground("meadow"))
    assert parse("A red apple to the left of a blue car on a green meadow.") == expected


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "apple",
        "a red",
        "two apple on a green meadow",
        "a apples",
        "a red apple on a green beach",
        "a wall with a cat",
        "a cat left of",
        "two cats above a dog",
        "five cats",
        "a photograph of a politician",
    ],
)
def test_sentences_outside_the_grammar_are_refused(caption: str) -> None:
    assert parse(caption) is None


def test_unknown_words_are_listed_once_and_in_order() -> None:
    assert unknown_words("A zebra, a red zebra and a lamp!") == ["zebra", "lamp"]


def test_the_world_has_at_least_forty_objects_and_eight_colours() -> None:
    assert len(words.NOUNS) >= 40 and len(words.COLOURS) >= 8


def test_the_shipped_word_list_is_the_vocabulary() -> None:
    shipped = json.loads((ASSETS / "vocabulary.json").read_text("utf-8"))
    assert shipped["words"] == list(words.all_words())
    assert len(shipped["examples"]) == 12
    assert all(parse(example) for example in shipped["examples"])


def test_the_word_list_loads_without_torch_or_numpy() -> None:
    code = (
        "import sys, synthvlm_ui.miniature.grammar as g; g.parse('a cat');"
        "sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'PIL')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
