"""Our SSIM against scikit-image on the same resized pixels: photographs, drawings, noise, flat images, odd sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.metrics import structural_similarity

from synthvlm_ui.backends.torch_round_trip import TorchRoundTrip, mean_ssim, resized_pixels
from synthvlm_ui.scoring import ROUTES, round_trip
from synthvlm_ui.scoring.ssim import PILLOW
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


ENGINES = {"Pillow": PILLOW, "torch": TorchRoundTrip("cpu")}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kernel", ["numba", "opencv"])
@pytest.mark.parametrize("route", ROUTES)
def test_the_kernels_agree_with_scikit_image_on_the_same_pixels(route: str, kernel: str, engine: str) -> None:
    apart = {}
    for name, picture in PICTURES.items():
        before, after = round_trip(picture, ROUTES[route], ENGINES[engine])
        expected = structural_similarity(before, after, channel_axis=2, data_range=255)
        apart[name] = abs(KERNELS[kernel](before, after) - float(expected))
    assert max(apart.values()) <= TOLERANCE, apart


@pytest.mark.parametrize("name", PICTURES)
def test_the_comparison_of_a_card_agrees_on_the_same_pixels(name: str) -> None:
    """Its own code on tensors of the processor, which is the same but for the device."""
    before, after = round_trip(PICTURES[name], ROUTES["paper"])
    planes = [torch.from_numpy(each.copy()).permute(2, 0, 1)[None] for each in (before, after)]
    expected = structural_similarity(before, after, channel_axis=2, data_range=255)
    assert float(mean_ssim(*planes)) == pytest.approx(float(expected), abs=TOLERANCE)


@pytest.mark.parametrize("name", PICTURES)
def test_torch_resizes_as_pillow_does(name: str) -> None:
    route = ROUTES["paper"]
    pairs = [round_trip(PICTURES[name], route, engine) for engine in ENGINES.values()]
    assert np.abs(pairs[0][1].astype(int) - pairs[1][1]).max() <= 2
    assert KERNELS["opencv"](*pairs[0]) == pytest.approx(KERNELS["opencv"](*pairs[1]), abs=1e-4)
    floats = torch.from_numpy(PICTURES[name].copy()).permute(2, 0, 1)[None].float()
    size = (max(1, PICTURES[name].shape[1] // 3), max(1, PICTURES[name].shape[0] // 3))
    as_on_a_card = resized_pixels(floats, size, "bicubic")[0].permute(1, 2, 0).numpy()
    by_pillow = PILLOW.resize(PICTURES[name], size, "bicubic")
    assert as_on_a_card.dtype == np.uint8 and np.abs(as_on_a_card.astype(int) - by_pillow).max() <= 1


def test_a_grey_axis_of_one_equals_scikit_images_grey_image() -> None:
    before, after = round_trip(PICTURES["coffee"], ROUTES["author"])
    expected = structural_similarity(before[:, :, 0], after[:, :, 0])
    assert KERNELS["opencv"](before, after) == pytest.approx(float(expected), abs=TOLERANCE)
