"""What every generator promises, asked of every one that runs offline: the embedded one and diffusers' real classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.protocols import ImageGenerator
from synthvlm_ui.records import GenerationRequest

# diffusers' Euler scheduler converts tensors to arrays in a way that numpy 2 announces to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Opened = Callable[[str], ImageGenerator]
NAMES = ("miniature", "sd", "sdxl", "sd3", "flux", "amused")
# Rounding of another batch shape, seen through a random decoder: grey levels of 255.
ROUNDING = 2


def request(
    generator: ImageGenerator, prompt: str = "a red apple", seed: int = 1, **changes: object
) -> GenerationRequest:
    info = generator.info
    plain = GenerationRequest(prompt, seed, info.native_width_px, info.native_height_px, 2, info.default_guidance_scale)
    return replace(plain, **changes)  # type: ignore[arg-type]


def drawn(generator: ImageGenerator, *requests: GenerationRequest) -> list[np.ndarray]:
    results = generator.generate(requests)
    assert len(results) == len(requests)
    for wanted, image in zip(requests, results, strict=True):
        assert isinstance(image, np.ndarray), image
        assert image.dtype == np.uint8
        assert image.shape == (wanted.height, wanted.width, 3)
    return [image for image in results if isinstance(image, np.ndarray)]


@pytest.fixture(params=NAMES)
def generator(request: pytest.FixtureRequest, open_generator: Opened) -> ImageGenerator:
    return open_generator(request.param)


def test_it_is_an_image_generator_that_says_what_it_is(generator: ImageGenerator) -> None:
    assert isinstance(generator, ImageGenerator)
    info = generator.info
    assert info.name and info.model and info.sampler and info.notes
    assert len(info.revision) in (16, 40)
    assert info.native_width_px % info.size_multiple_px == 0
    generator.check(request(generator))


def test_pictures_come_in_order_and_differ_by_seed_and_prompt(generator: ImageGenerator) -> None:
    first, other_seed, other_prompt = drawn(
        generator, request(generator), request(generator, seed=2), request(generator, prompt="a blue fish"))
    assert not np.array_equal(first, other_seed)
    assert not np.array_equal(first, other_prompt)


def test_the_same_request_twice_gives_the_same_pixels(generator: ImageGenerator) -> None:
    wanted = request(generator, seed=7)
    assert np.array_equal(drawn(generator, wanted)[0], drawn(generator, wanted)[0])


def test_a_picture_does_not_depend_on_its_batch(generator: ImageGenerator) -> None:
    requests = [request(generator, seed=seed) for seed in (3, 4, 5)]
    together = drawn(generator, *requests)
    for wanted, image in zip(requests, together, strict=True):
        alone = drawn(generator, wanted)[0]
        assert np.abs(alone.astype(int) - image.astype(int)).max() <= ROUNDING


def test_one_bad_request_costs_its_neighbours_nothing(generator: ImageGenerator) -> None:
    good, bad, also_good = generator.generate(
        [request(generator), request(generator, width=generator.info.native_width_px + 1), request(generator, seed=2)])
    assert isinstance(bad, BadSetting)
    assert np.array_equal(good, drawn(generator, request(generator), request(generator, seed=2))[0])
    assert isinstance(also_good, np.ndarray)


@pytest.mark.parametrize(
    "changes", [{"num_inference_steps": 0}, {"guidance_scale": -1.0}, {"width": 33}, {"height": 0}]
)
def test_what_could_never_be_drawn_is_refused_with_what_could(
    generator: ImageGenerator, changes: dict[str, object]
) -> None:
    with pytest.raises(BadSetting) as caught:
        generator.check(request(generator, **changes))
    assert caught.value.fix


def test_mixed_requests_come_back_in_order(generator: ImageGenerator) -> None:
    """Different steps and guidance cannot share a batch; the caller does not need to know."""
    requests = [request(generator, seed=1), request(generator, seed=1, num_inference_steps=3),
                request(generator, seed=1, guidance_scale=1.0), request(generator, seed=1)]
    images = drawn(generator, *requests)
    assert np.array_equal(images[0], images[3])
    for wanted, image in zip(requests, images, strict=True):
        assert np.abs(drawn(generator, wanted)[0].astype(int) - image.astype(int)).max() <= ROUNDING


def test_no_requests_no_pictures(generator: ImageGenerator) -> None:
    assert generator.generate([]) == []
