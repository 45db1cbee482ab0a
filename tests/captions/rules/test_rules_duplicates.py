"""Copies: the same words, shared runs of words, and near copies beside the reference library."""

from __future__ import annotations

import random

import numpy as np

from synthvlm_ui.captions.rules import changed, decide, measure_near, measure_texts, preset_settings
from synthvlm_ui.captions.rules.near_duplicates import jaccard, shingles_of

WORDS = ("fox tree river stone lantern harbour violin copper meadow glacier kettle orchid saddle thimble walnut "
         "zebra").split()
ONLY_COPIES = ["alphanumeric=off", "character_repetition=off", "flagged_words=off", "special_characters=off",
               "word_repetition=off"]


def sentences(count: int, seed: int = 5) -> list[str]:
    chance = random.Random(seed)
    return [f"{number} " + " ".join(chance.choices(WORDS, k=12)) for number in range(count)]


def planted() -> tuple[list[str], int]:
    """Sentences of which the last 60 are near copies of the first 60."""
    texts = sentences(300)
    copies = [text + ("s" if place % 2 else " here") for place, text in enumerate(texts[:60])]
    return texts + copies, len(texts)


def test_case_and_punctuation_make_no_new_caption() -> None:
    found = measure_texts(["A red fox.", "a blue fox", "a RED fox!", "...", "!!!", "..."], {})
    assert found["exact_of"].tolist() == [0, 1, 0, 3, 4, 3]
    assert found["exact_duplicates"].tolist() == [0, 0, 1, 0, 0, 1]


def test_the_first_survivor_of_a_group_stays() -> None:
    texts = ["x fox ################", "x fox", "X fox", "y fox"]
    settings = changed(preset_settings("plain"), ["exact_duplicates=on"])
    decision = decide(settings, measure_texts(texts, {}), 4, {})
    assert decision.survives.tolist() == [False, True, False, True], "the first fails another rule, so its copy stays"


def test_shared_runs_count_earlier_captions_only() -> None:
    base = "one two three four five six"
    found = measure_texts([base, base + " seven", "another thing that nobody has said before"], {})["shared_ngrams"]
    assert found.tolist() == [0.0, 2 / 3, 0.0]


def test_near_copies_are_found_with_their_exact_similarity() -> None:
    texts, first_copy = planted()
    found = measure_near(texts)
    for place in range(60):
        row = first_copy + place
        assert found["near_of"][row] == place
        assert found["near_duplicates"][row] == jaccard(texts[row], texts[place]) > 0.8
    settings = changed(preset_settings("plain"), [*ONLY_COPIES, "near_duplicates.max=0.8"])
    columns = {**measure_texts(texts, {}), **found}
    survives = decide(settings, columns, len(texts), {}).survives
    assert survives[:first_copy].all() and not survives[first_copy:].any()


def test_the_reference_library_finds_the_same_pairs() -> None:
    from datasketch import MinHash, MinHashLSH

    texts, first_copy = planted()
    index, theirs = MinHashLSH(threshold=0.7, num_perm=128), set()
    for number, text in enumerate(texts):
        sketch = MinHash(num_perm=128)
        sketch.update_batch([shingle.encode() for shingle in shingles_of(text)])
        theirs |= {(number, int(key)) for key in index.query(sketch) if jaccard(text, texts[int(key)]) > 0.8}
        index.insert(str(number), sketch)
    found = measure_near(texts)
    ours = {(int(row), int(found["near_of"][row])) for row in np.flatnonzero(found["near_duplicates"] > 0.8)}
    assert ours == theirs and len(ours) == 60


def test_too_short_for_a_run_is_no_copy() -> None:
    found = measure_near(["a fox", "a", "", "a fox"])
    assert found["near_duplicates"].tolist() == [0, 0, 0, 1] and found["near_of"].tolist() == [0, 1, 2, 0]
    assert len(measure_near([])["near_of"]) == 0
