"""CLIPScore over a small exact embedder: prefix, caching, scales, and images that cannot be scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.protocols import FloatMatrix, UInt8Image
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.scoring import SCALES, ClipScorer, build_scorers, parse_scorers, scorer_names

WORDS = ("red", "green", "blue")


class ColourEmbedder:
    """An image's mean colour and a text's colour words, as unit vectors: a real embedding one can check by hand."""

    info = ScorerInfo("colours", (), {"model": "colours", "precision": "fp32"})
    dimension = 3

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_images(self, images: Sequence[UInt8Image]) -> FloatMatrix:
        return unit(np.array([image.reshape(-1, 3).mean(axis=0) for image in images], np.float32))

    def embed_texts(self, texts: Sequence[str]) -> FloatMatrix:
        self.texts += texts
        return unit(np.array([[word in text.split() for word in WORDS] for text in texts], np.float32))

    def truncated(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([len(text.split()) > 6 for text in texts])


def unit(rows: NDArray[np.float32]) -> FloatMatrix:
    with np.errstate(invalid="ignore"):
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def flat(red: int, green: int, blue: int) -> UInt8Image:
    return np.full((4, 4, 3), (red, green, blue), np.uint8)


def test_cosine_prefix_and_truncation() -> None:
    embedder = ColourEmbedder()
    batch = ClipScorer(embedder).score(
        [flat(9, 0, 0), flat(9, 0, 0), flat(9, 9, 0)], ["red", "blue", "red and a very long tail"])
    assert batch.columns["clip_cosine"].tolist() == pytest.approx([1, 0, 0.5**0.5], abs=1e-6)
    assert batch.columns["truncated"].tolist() == [False, False, True]
    assert embedder.texts == ["A photo depicts red", "A photo depicts blue", "A photo depicts red and a very long tail"]
    assert batch.embeddings is not None and batch.embeddings.dtype == np.float16
    assert batch.columns["clip_cosine"].dtype == np.float32


def test_each_caption_is_encoded_once_over_calls() -> None:
    embedder = ColourEmbedder()
    scorer = ClipScorer(embedder)
    for _ in range(3):
        scorer.score([flat(9, 0, 0)] * 4, ["red", "green", "red", "green"])
    assert sorted(embedder.texts) == ["A photo depicts green", "A photo depicts red"]


def test_the_memory_of_captions_is_bounded_and_never_changes_a_number() -> None:
    embedder = ColourEmbedder()
    scorer = ClipScorer(embedder, cached_captions=2)
    captions = ["red", "green", "blue", "red green", "red blue"]
    images = [flat(9, 5, 1)] * 5
    first = scorer.score(images, captions).columns["clip_cosine"]
    assert np.array_equal(first, scorer.score(images, captions).columns["clip_cosine"])
    assert len(scorer._texts) == 2
    assert np.array_equal(first, ClipScorer(ColourEmbedder()).score(images, captions).columns["clip_cosine"])


def test_an_image_that_is_none_gets_nan_and_costs_its_neighbours_nothing() -> None:
    broken = np.zeros((4, 4), np.uint8)
    batch = ClipScorer(ColourEmbedder()).score([flat(9, 0, 0), broken, flat(0, 9, 0)], ["red", "red", "green"])
    assert np.isnan(batch.columns["clip_cosine"]).tolist() == [False, True, False]
    assert batch.embeddings is not None and np.isnan(batch.embeddings[1]).all()


def test_an_embedding_that_is_nan_stays_nan() -> None:
    batch = ClipScorer(ColourEmbedder()).score([flat(9, 0, 0)], ["no colour at all"])
    assert np.isnan(batch.columns["clip_cosine"]).all()


def test_an_empty_batch() -> None:
    batch = ClipScorer(ColourEmbedder()).score([], [])
    assert batch.columns["clip_cosine"].shape == (0,)
    assert batch.embeddings is not None and batch.embeddings.shape == (0, 3)


def test_the_key_follows_prefix_and_model() -> None:
    assert ClipScorer(ColourEmbedder()).info.key != ClipScorer(ColourEmbedder(), prefix="").info.key
    assert ClipScorer(ColourEmbedder()).info.settings["model"] == "colours"


def test_scales_are_the_published_ones() -> None:
    cosine = np.array([-0.1, 0.31], np.float32)
    assert SCALES["cosine"](cosine).tolist() == pytest.approx([-0.1, 0.31])
    assert SCALES["hessel"](cosine).tolist() == pytest.approx([0, 0.775])
    assert SCALES["percent"](cosine).tolist() == pytest.approx([-10, 31])


def test_scorers_are_built_by_name_and_the_embedder_only_when_needed() -> None:
    def never() -> ColourEmbedder:
        raise AssertionError("no scorer here needs an embedder")

    assert [scorer.info.name for scorer in build_scorers("ssim,guards", never)] == ["ssim", "guards"]
    assert build_scorers("none", never) == []
    built = build_scorers(["clip", "ssim:author"], ColourEmbedder)
    assert [scorer.info.name for scorer in built] == ["clip", "ssim"]
    assert built[1].info.settings["name"] == "author"
    assert all(parse_scorers(name) == (name,) for name in scorer_names())


@pytest.mark.parametrize("names", ["clipp", "clip:author", "ssim:papre", ":"])
def test_unknown_scorers_are_named(names: str) -> None:
    with pytest.raises(UnknownName, match="scorer"):
        parse_scorers(names)


def test_a_scorer_named_twice_is_refused() -> None:
    with pytest.raises(BadSetting, match="twice"):
        parse_scorers("ssim,ssim:author")
