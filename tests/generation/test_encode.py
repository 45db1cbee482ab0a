"""Files keep their pixels and say how they were made."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthvlm_ui.generation import encode_image, encode_thumbnail, read_embedded_facts
from tests.generation.test_plan import make_plan

CANDIDATE = next(make_plan(["a \u00fcnusual <caption> ${x}"]).candidates(0))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pixels_of(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("image_format", ["webp", "png"])
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9))
def test_lossless_formats_keep_every_pixel(image_format: str, height: int, width: int, seed: int) -> None:
    pixels = noise(height, width, seed)
    assert np.array_equal(pixels_of(encode_image(pixels, CANDIDATE, image_format)), pixels)


@pytest.mark.parametrize("image_format", ["webp", "png", "jpeg"])
def test_facts_are_inside_the_file(image_format: str) -> None:
    facts = read_embedded_facts(encode_image(noise(16, 16), CANDIDATE, image_format))
    assert facts is not None
    assert facts["prompt"] == CANDIDATE.prompt
    assert facts["seed"] == CANDIDATE.seed
    assert facts["id"] == CANDIDATE.id


def test_same_pixels_give_the_same_bytes() -> None:
    assert encode_image(noise(8, 8), CANDIDATE) == encode_image(noise(8, 8), CANDIDATE)


def test_a_foreign_file_has_no_facts() -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(8, 8)).save(buffer, "PNG")
    assert read_embedded_facts(buffer.getvalue()) is None


def test_thumbnails_shrink_large_pictures_and_leave_small_ones_alone() -> None:
    small = noise(64, 64)
    assert np.array_equal(pixels_of(encode_thumbnail(small)), small)
    assert pixels_of(encode_thumbnail(noise(512, 1024))).shape == (128, 256, 3)
