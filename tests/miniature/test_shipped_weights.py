"""The weights in assets/miniature: they load, they are small, and they do what their cards say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open

from synthvlm_ui.backends.vq_token_generator import VqTokenGenerator
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.miniature import measure, words
from synthvlm_ui.miniature.corpora import Row
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.storage import load_tokenizer
from synthvlm_ui.models.vlm import load_vlm
from synthvlm_ui.protocols import ImageGenerator, TokenGenerator
from synthvlm_ui.records import GenerationRequest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PARTS = ("lm", "vq", "generator", "vlm", "clip")
EXAMPLE = "a red apple to the left of a blue car on a green meadow"


def request(prompt: str = EXAMPLE, seed: int = 1, **changes: object) -> GenerationRequest:
    settings = {"width": 64, "height": 64, "num_inference_steps": 4, "guidance_scale": 3.0, **changes}
    return GenerationRequest(prompt, seed, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def generator() -> VqTokenGenerator:
    return VqTokenGenerator()


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_a_card_and_half_precision_weights(part: str) -> None:
    folder = MINIATURE / part
    assert "licence" in (folder / "README.md").read_text("utf-8").lower()
    weights = next(folder.glob("*model.safetensors"))
    with safe_open(weights, framework="np") as tensors:
        kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}
    assert kinds <= {"F16", "I64"}


def test_all_assets_fit_in_forty_megabytes() -> None:
    assert sum(file.stat().st_size for file in MINIATURE.rglob("*") if file.is_file()) <= 40e6


def test_every_noun_has_a_sprite_and_the_sprites_a_licence() -> None:
    sprites = {file.stem for file in (MINIATURE / "sprites").glob("*.png")}
    assert sprites == set(words.NOUNS)
    assert "MIT License" in (MINIATURE / "sprites" / "LICENSE").read_text("utf-8")


def test_the_tokenizers_know_the_word_list() -> None:
    shipped = set(json.loads((MINIATURE / "vocabulary.json").read_text("utf-8"))["words"])
    for part in ("lm", "clip"):
        vocabulary = json.loads((MINIATURE / part / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
        assert shipped <= set(vocabulary), part


def test_the_generator_fulfils_both_contracts(generator: VqTokenGenerator) -> None:
    assert isinstance(generator, ImageGenerator) and isinstance(generator, TokenGenerator)
    assert generator.info.token_grid == (16, 16) and generator.info.fixed_size


def test_pictures_depend_on_prompt_and_seed_only(generator: VqTokenGenerator) -> None:
    alone = generator.generate([request()])[0]
    among = generator.generate([request("two stars"), request(seed=2), request(), request("a key")])
    assert isinstance(alone, np.ndarray) and alone.shape == (64, 64, 3) and alone.dtype == np.uint8
    assert np.array_equal(alone, among[2])
    assert not np.array_equal(alone, among[1])


def test_tokens_decode_to_the_pictures(generator: VqTokenGenerator) -> None:
    tokens = generator.generate_tokens([request(), request(seed=5)])
    assert tokens.shape == (2, 256) and tokens.dtype == np.uint16 and int(tokens.max()) < 1000
    pictures = generator.decode_tokens(tokens)
    assert np.array_equal(pictures[1], generator.generate([request(seed=5)])[0])


def test_a_request_that_cannot_be_drawn_does_not_cost_its_neighbours(generator: VqTokenGenerator) -> None:
    first, refused, last = generator.generate([request(), request(width=512, height=512), request(seed=2)])
    assert isinstance(refused, BadSetting) and "64x64" in str(refused)
    assert isinstance(first, np.ndarray) and isinstance(last, np.ndarray)
    with pytest.raises(BadSetting, match="Use 1 to"):
        generator.check(request(num_inference_steps=0))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return measure.distinct_rows(48)


def test_the_shipped_clip_tells_the_right_caption_and_what_changed_in_it(rows: list[Row]) -> None:
    judge = measure.Judge(MINIATURE / "clip")
    recall = measure.recall_at_1(judge, measure.pixels_of(rows), [row.caption for row in rows])
    assert recall["i2t"] > 0.8
    shares = measure.hard_negatives(judge, rows)
    assert min(shares.values()) > 0.7, shares


def test_the_shipped_vlm_reads_the_picture_it_is_given(rows: list[Row]) -> None:
    language, tokenizer = load_language_model(MINIATURE / "lm"), load_tokenizer(MINIATURE / "vq")
    found = measure.captioning(load_vlm(MINIATURE / "vlm", language), tokenizer, rows)
    assert found["above_shuffled"] > 100, found
