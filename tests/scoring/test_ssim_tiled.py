"""The tiled variant against its own definition, with scikit-image as the measure."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import structural_similarity

from synthvlm_ui.scoring import build_scorers
from synthvlm_ui.scoring.ssim_tiled import quadrants, tiled_ssim


def travelled(image: np.ndarray, side_px: int) -> float:
    """scikit-image's SSIM of a picture and itself by way of ``side_px``."""
    there = Image.fromarray(image)
    back = there.resize((side_px, side_px), Image.Resampling.BICUBIC).resize(there.size, Image.Resampling.BICUBIC)
    return float(structural_similarity(image, np.asarray(back), channel_axis=2, data_range=255))


def test_is_the_whole_and_a_quarter_of_each_quadrant() -> None:
    image = data.astronaut()  # 512 px: the whole travels by 192 px, a quadrant of 256 px by 192 px
    expected = travelled(image, 192) + 0.25 * sum(travelled(np.ascontiguousarray(p), 192) for p in quadrants(image))
    assert tiled_ssim(image) == pytest.approx(expected, abs=1e-5)


def test_quadrants_hold_every_pixel_once() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    assert sorted(np.concatenate([p.ravel() for p in quadrants(image)]).tolist()) == sorted(image.ravel().tolist())


def test_a_flat_picture_has_the_highest_value_and_a_tiny_one_has_none() -> None:
    assert tiled_ssim(np.full((64, 64, 3), 90, np.uint8)) == pytest.approx(2.0, abs=1e-6)
    assert np.isnan(tiled_ssim(np.zeros((10, 64, 3), np.uint8)))


def test_is_found_by_name() -> None:
    (scorer,) = build_scorers(["ssim-tiled"], lambda: pytest.fail("no embedder is needed"))
    assert scorer.score([data.astronaut()[:64, :64]], ["a"]).columns["ssim_tiled"].shape == (1,)
