"""The three corpora: finite, repeatable, and disjoint in compositions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synthvlm_ui.miniature.contrasts import KINDS, contrast, possible
from synthvlm_ui.miniature.corpora import (
    CORPORA,
    WORLD_HELDOUT,
    WORLD_REAL,
    WORLD_SKEWED,
    canonical,
    is_heldout,
    sample_scene,
)
from synthvlm_ui.miniature.grammar import parse, say

ASSETS = Path(__file__).parents[2] / "assets" / "miniature"
CHECKED_ROWS = 300


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.name)
def test_the_first_rows_hash_to_the_published_digest(corpus) -> None:
    published = json.loads((ASSETS / "corpora.json").read_text("utf-8"))[corpus.name]
    assert corpus.digest(CHECKED_ROWS) == published[f"sha256_first_{CHECKED_ROWS}"]


def test_pixels_hash_to_the_published_digest() -> None:
    import hashlib

    published = json.loads((ASSETS / "corpora.json").read_text("utf-8"))["pixels_sha256_first_64_of_world_real"]
    pixels = b"".join(WORLD_REAL.row(i).pixels().tobytes() for i in range(64))
    assert hashlib.sha256(pixels).hexdigest() == published


def test_no_training_scene_has_a_heldout_composition_and_every_heldout_scene_has_one() -> None:
    assert not any(is_heldout(WORLD_REAL.row(i).scene) for i in range(200))
    assert not any(is_heldout(WORLD_SKEWED.row(i).scene) for i in range(200))
    assert all(is_heldout(WORLD_HELDOUT.row(i).scene) for i in range(200))


def test_a_mirrored_caption_is_held_out_together_with_its_twin() -> None:
    for caption in ("a cat left of a dog", "a star above a key"):
        scene = parse(caption)
        assert scene is not None and scene.second is not None
        twin = parse(caption.replace("left of", "right of").replace("above", "below"))
        assert twin is not None
        assert canonical(scene) == scene
        assert canonical(canonical(twin)) == canonical(twin)


def test_skewed_rows_repeat_nouns_more_often() -> None:
    def most_common(corpus) -> int:
        nouns = [corpus.row(i).scene.first.noun for i in range(400)]
        return max(nouns.count(noun) for noun in set(nouns))

    assert most_common(WORLD_SKEWED) > 2 * most_common(WORLD_REAL)


def test_rows_outside_a_corpus_do_not_exist() -> None:
    with pytest.raises(IndexError):
        WORLD_REAL.row(WORLD_REAL.size)


def test_contrasts_change_what_is_said_and_stay_in_the_grammar() -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        scene = sample_scene(rng)
        for kind in KINDS:
            if possible(scene, kind):
                other = contrast(scene, kind, rng)
                assert other != scene
                assert parse(say(other)) == other
