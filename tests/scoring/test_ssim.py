"""The round trip, its routes, and what happens to images that have no SSIM."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.scoring import ROUTES, SSIM_STATUS, SsimRoute, SsimScorer, round_trip, round_trip_ssim
from synthvlm_ui.scoring.ssim import NOT_AN_IMAGE, OK, TOO_SMALL
from synthvlm_ui.scoring.ssim_kernels import KERNELS, _numba_works, best_kernel, reference_ssim


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kernel", ["numba", "opencv"])
@given(height=st.integers(7, 70), width=st.integers(7, 70), channels=st.sampled_from([1, 3]),
       seed=st.integers(0, 2**32 - 1), contrast=st.sampled_from([0, 1, 3, 40, 255]), level=st.integers(0, 255))
def test_the_kernels_are_scikit_images(
    kernel: str, height: int, width: int, channels: int, seed: int, contrast: int, level: int
) -> None:
    rng = np.random.default_rng(seed)
    first, second = (
        np.clip(level + rng.integers(-contrast, contrast + 1, (height, width, channels)), 0, 255).astype(np.uint8)
        for _ in range(2)
    )
    assert KERNELS[kernel](first, second) == pytest.approx(reference_ssim(first, second), abs=1e-5)


def test_large_pictures_get_the_compiled_kernel_and_small_ones_wait_for_no_compiler() -> None:
    assert best_kernel(1024 * 1024 * 3) == "numba"
    assert best_kernel(128 * 128 * 3) == "opencv"


@pytest.mark.parametrize(("missing", "left"), [({"numba"}, "opencv"), ({"numba", "cv2"}, "scikit-image")])
def test_what_is_not_installed_is_not_chosen(
    missing: set[str], left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else found(name))
    _numba_works.cache_clear()
    assert best_kernel(1024 * 1024 * 3) == left
    _numba_works.cache_clear()


class Halves:
    """An engine that compares by itself: the number is the width over the height."""

    resampling = "halves"
    interpolations = frozenset({"bicubic"})

    def resize(self, image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
        return np.asarray(Image.fromarray(image).resize(size))

    def ssim(self, image: np.ndarray, size: tuple[int, int], interpolation: str) -> float:
        return size[0] / size[1]


def test_an_engine_that_compares_is_asked_and_named() -> None:
    scorer = SsimScorer("paper", engine=Halves())
    assert scorer.score([noise(64, 32)], [""]).columns["ssim"].tolist() == [pytest.approx(0.5, abs=0.03)]
    assert scorer.info.settings["resampling"] == "halves"
    # The author's route compares greys, and is bilinear, which this engine does not know.
    assert SsimScorer("author", engine=Halves()).info.settings["resampling"] == "Pillow, uint8"


def test_the_paper_route_goes_through_336_of_1024() -> None:
    image = noise(1024, 768)
    before, after = round_trip(image, ROUTES["paper"])
    assert np.array_equal(before, image)
    by_hand = Image.fromarray(image).resize((252, 336), Image.Resampling.BICUBIC).resize(
        (768, 1024), Image.Resampling.BICUBIC)
    assert np.array_equal(after, np.asarray(by_hand))


def test_the_author_route_compares_greys_of_768() -> None:
    before, after = round_trip(noise(64, 32), ROUTES["author"])
    assert before.shape == after.shape == (768, 384, 1)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 101), (512, 384), (7, 7), (8, 300)])
def test_both_routes_score_every_aspect(height: int, width: int) -> None:
    for route in ROUTES.values():
        assert -1 <= round_trip_ssim(noise(height, width), route) <= 1


def test_flat_is_perfect_blur_is_better_than_sharp_and_noise_is_lost() -> None:
    """Why guards exist."""
    from skimage import data

    photo = data.astronaut()
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(4)))
    route = ROUTES["paper"]
    scores = [round_trip_ssim(image, route) for image in (noise(512, 512), photo, blurred, np.full_like(photo, 90))]
    assert scores == sorted(scores)
    assert scores[0] < 0.3
    assert scores[2] > 0.99
    assert scores[3] == 1.0


def test_what_cannot_be_scored_is_nan_with_a_reason() -> None:
    images = [noise(64, 64), noise(6, 64), np.zeros((0, 5, 3), np.uint8), np.zeros((64, 64), np.uint8),
              np.zeros((64, 64, 3), np.float32)]
    batch = SsimScorer().score(images, [""] * len(images))  # type: ignore[arg-type]
    assert batch.columns["ssim_status"].tolist() == [OK, TOO_SMALL, NOT_AN_IMAGE, NOT_AN_IMAGE, NOT_AN_IMAGE]
    assert np.isnan(batch.columns["ssim"]).tolist() == [False, True, True, True, True]
    assert set(batch.columns["ssim_status"].tolist()) <= set(SSIM_STATUS)
    assert batch.columns["ssim"].dtype == np.float32


def test_an_empty_batch_has_empty_columns() -> None:
    columns = SsimScorer().score([], []).columns
    assert {name: column.shape for name, column in columns.items()} == {"ssim": (0,), "ssim_status": (0,)}


def test_the_key_follows_the_route_and_not_the_kernel() -> None:
    keys = {SsimScorer(route, kernel).info.key for route in ROUTES for kernel in ("opencv", "scikit-image")}
    assert len(keys) == len(ROUTES)
    assert SsimScorer(SsimRoute("paper", interpolation="lanczos")).info.key not in keys


def test_wrong_routes_are_refused() -> None:
    with pytest.raises(UnknownName, match="papre"):
        SsimScorer("papre")
    with pytest.raises(BadSetting, match="shrink"):
        SsimRoute("up", side_px=2048)
    with pytest.raises(BadSetting, match="nearst"):
        SsimRoute("typo", interpolation="nearst")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="kernel"):
        SsimScorer(kernel="gpu")
    assert set(KERNELS) == {"numba", "opencv", "scikit-image"}
