"""Guards name what SSIM would reward and leave honest pictures alone, photographs and flat drawings alike."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from synthvlm_ui.scoring.guards import (
    BLACK,
    BLANK,
    BLURRED,
    GUARDS,
    NOT_AN_IMAGE,
    OK,
    GuardScorer,
    GuardThresholds,
    inspect,
    perceptual_hash,
)

PHOTOS = ("astronaut", "coffee", "rocket", "chelsea", "camera", "moon", "coins", "grass", "gravel", "clock")
# Fine regular texture keeps some crisp lines even after a blur of 2 px.
TEXTURES = ("grass", "gravel", "camera")


def photo(name: str) -> Image.Image:
    from skimage import data

    return Image.fromarray(getattr(data, name)()).convert("RGB")


def drawing(side: int, seed: int) -> Image.Image:
    """A flat illustration: one background colour and one to three shapes of one colour each."""
    rng = np.random.default_rng(seed)
    colours = [tuple(int(value) for value in rng.integers(0, 256, 3)) for _ in range(4)]
    image = Image.new("RGB", (side, side), colours[0])
    pen = ImageDraw.Draw(image)
    for colour in colours[1 : 2 + int(rng.integers(3))]:
        left, top = (int(value) for value in rng.integers(0, side // 2, 2))
        box = (left, top, left + side // 3, top + side // 3)
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=colour)
    return image


def verdict(image: Image.Image, blur_px: float = 0) -> int:
    return inspect(np.asarray(image.filter(ImageFilter.GaussianBlur(blur_px)) if blur_px else image)).guard


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs_pass_until_they_are_blurred(name: str) -> None:
    image = photo(name)
    assert verdict(image) == OK
    assert verdict(image, 4) == BLURRED
    if name not in TEXTURES:
        assert verdict(image, 2) == BLURRED


@pytest.mark.parametrize("side", [64, 256])
def test_flat_drawings_pass_until_they_are_blurred(side: int) -> None:
    drawings = [drawing(side, seed) for seed in range(40)]
    assert [verdict(image) for image in drawings] == [OK] * 40
    # Colours a few grey levels apart leave only rounding of an edge once it is blurred.
    assert [verdict(image, 2) for image in drawings].count(BLURRED) >= 38
    assert [verdict(image, 4) for image in drawings].count(OK) == 0


def test_equal_luminance_is_no_blank() -> None:
    image = Image.new("RGB", (64, 64), (255, 0, 0))
    ImageDraw.Draw(image).rectangle((20, 20, 40, 40), fill=(0, 130, 0))
    assert np.asarray(image.convert("L")).std() < 1
    assert verdict(image) == OK


def test_blank_black_and_unreadable() -> None:
    assert inspect(np.full((64, 64, 3), 200, np.uint8)).guard == BLANK
    assert inspect(np.zeros((64, 64, 3), np.uint8)).guard == BLACK
    assert inspect(np.full((1, 1, 3), 3, np.uint8)).guard == BLACK
    assert inspect(np.zeros((64, 64), np.uint8)).guard == NOT_AN_IMAGE
    gradient = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 256, 0).repeat(3, 2)
    assert inspect(gradient).guard == BLURRED


def test_noise_is_sharp_and_rich() -> None:
    guard = inspect(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert guard.guard == OK
    assert guard.sharpness > 1000
    assert guard.entropy_bits > 6.5


def test_numbers_agree_with_their_definitions() -> None:
    image = photo("coffee")
    guard = inspect(np.asarray(image))
    grey = np.asarray(image.convert("L")).astype(np.float64)
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    assert guard.sharpness == pytest.approx(laplacian.var(), rel=1e-4)
    from skimage.measure import shannon_entropy

    assert guard.entropy_bits == pytest.approx(shannon_entropy(grey), rel=1e-6)
    assert guard.std == pytest.approx(np.asarray(image).reshape(-1, 3).std(axis=0).max(), rel=1e-6)


def test_columns_have_the_promised_types() -> None:
    images = [np.asarray(photo("coffee")), np.zeros((3, 3), np.uint8)]
    scorer = GuardScorer()
    batch = scorer.score(images, ["", ""])
    assert tuple(batch.columns) == scorer.info.columns
    assert {name: column.dtype.name for name, column in batch.columns.items()} == {
        "sharpness": "float32", "entropy_bits": "float32", "std": "float32", "guard": "uint8", "phash": "uint64"}
    assert set(batch.columns["guard"].tolist()) <= set(GUARDS)
    assert np.isnan(batch.columns["sharpness"]).tolist() == [False, True]


def test_thresholds_are_part_of_the_key() -> None:
    assert GuardScorer().info.key != GuardScorer(GuardThresholds(edge_ratio=0.5)).info.key


def distance(first: int, second: int) -> int:
    return (first ^ second).bit_count()


def test_hashes_of_near_copies_are_near_and_of_others_far() -> None:
    images = [photo(name) for name in PHOTOS]
    hashes = [perceptual_hash(image.convert("L")) for image in images]
    for image, own in zip(images, hashes, strict=True):
        small = image.resize((image.width // 2, image.height // 2))
        brighter = image.point(lambda value: min(255, int(value * 1.1)))
        for copy in (small, brighter, image.filter(ImageFilter.GaussianBlur(1))):
            assert distance(own, perceptual_hash(copy.convert("L"))) <= 8
    apart = [distance(a, b) for index, a in enumerate(hashes) for b in hashes[:index]]
    assert min(apart) >= 12
