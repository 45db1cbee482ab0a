"""On a card: halves on two streams, parts moved in and out, and the choice that is made from its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_pipelines import NATIVE_PX

from synthvlm_ui.backends import create_generator
from synthvlm_ui.backends.diffusers_generator import DiffusersGenerator
from synthvlm_ui.generation import overlapped
from synthvlm_ui.records import EngineSettings, GenerationRequest

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(autouse=True)
def needs_a_card() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def batches(count: int) -> list[list[GenerationRequest]]:
    return [[GenerationRequest("a cat", 10 * number + one, NATIVE_PX, NATIVE_PX, 3, 3.0) for one in range(4)]
            for number in range(count)]


def opened(directory: Path, **engine: Any) -> DiffusersGenerator:
    generator = create_generator(str(directory), "cuda", EngineSettings(**engine))
    assert isinstance(generator, DiffusersGenerator)
    return generator


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_two_streams_draw_what_one_draws(models: Path, name: str) -> None:
    generator = opened(models / name)
    one_by_one = [generator.generate(batch) for batch in batches(6)]
    together = overlapped((generator.denoise(batch) for batch in batches(6)), generator.decode)
    for images, expected in zip(together, one_by_one, strict=True):
        for image, other in zip(images, expected, strict=True):
            assert np.array_equal(image, other)


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_parts_that_move_draw_the_same(models: Path, offload: str) -> None:
    (batch,) = batches(1)
    kept, moved = opened(models / "sdxl"), opened(models / "sdxl", offload=offload)
    moved.prepare(batch)
    for image, other in zip(moved.generate(batch), kept.generate(batch), strict=True):
        assert isinstance(image, np.ndarray) and np.abs(image.astype(int) - other).mean() < 2


def test_compiled_blocks_draw_the_same(models: Path) -> None:
    (batch,) = batches(1)
    plain, compiled = opened(models / "sdxl"), opened(models / "sdxl", compile=True)
    for image, other in zip(compiled.generate(batch), plain.generate(batch), strict=True):
        assert isinstance(image, np.ndarray) and np.abs(image.astype(int) - other).mean() < 4


def test_the_choice_is_made_for_this_card(models: Path) -> None:
    generator = opened(models / "sdxl")
    assert "all parts on the device" in generator.info.engine
    assert "usable on cuda" in generator.choice.reason
