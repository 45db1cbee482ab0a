"""Our SSIM against scikit-image on the same resized pixels: photographs, drawings, noise, flat images, odd sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import structural_similarity

from synthvlm_ui.scoring import ROUTES, round_trip
from synthvlm_ui.scoring.ssim_kernels import KERNELS

TOLERANCE = 1e-5
PHOTOS = ("astronaut", "coffee", "rocket", "chelsea", "camera", "moon", "coins", "retina", "hubble_deep_field", "page")


def pictures() -> Iterator[tuple[str, np.ndarray]]:
    for name in PHOTOS:
        photo = Image.fromarray(getattr(data, name)()).convert("RGB")
        photo.thumbnail((500, 500))
        yield name, np.asarray(photo)
    rng = np.random.default_rng(0)
    yield "noise", rng.integers(0, 256, (257, 129, 3), dtype=np.uint8)
    yield "nearly white noise", rng.integers(252, 256, (101, 203, 3), dtype=np.uint8)
    for level in (0, 1, 127, 255):
        yield f"flat {level}", np.full((65, 33, 3), level, np.uint8)
    yield "smallest", rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)
    steps = np.zeros((300, 301, 3), np.uint8)
    steps[:, 150:] = 255
    yield "step", steps


PICTURES = dict(pictures())


@pytest.mark.parametrize("route", ROUTES)
def test_the_opencv_kernel_agrees_with_scikit_image_on_the_same_pixels(route: str) -> None:
    apart = {}
    for name, picture in PICTURES.items():
        before, after = round_trip(picture, ROUTES[route])
        expected = structural_similarity(before, after, channel_axis=2, data_range=255)
        apart[name] = abs(KERNELS["opencv"](before, after) - float(expected))
    assert max(apart.values()) <= TOLERANCE, apart


def test_a_grey_axis_of_one_equals_scikit_images_grey_image() -> None:
    before, after = round_trip(PICTURES["coffee"], ROUTES["author"])
    expected = structural_similarity(before[:, :, 0], after[:, :, 0])
    assert KERNELS["opencv"](before, after) == pytest.approx(float(expected), abs=TOLERANCE)
