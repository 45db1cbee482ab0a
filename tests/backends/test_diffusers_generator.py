"""What is particular to pipelines of diffusers: sizes, memory, black pictures, directories that cannot be loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_pipelines import NATIVE_PX, save_safety_checker

from synthvlm_ui.backends import create_generator
from synthvlm_ui.backends.diffusers_generator import DiffusersGenerator
from synthvlm_ui.errors import BadSetting, GenerationFailed, ModelUnavailable, OutOfMemory
from synthvlm_ui.protocols import ImageGenerator
from synthvlm_ui.records import GenerationRequest

# diffusers' Euler scheduler converts tensors to arrays in a way that numpy 2 announces to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def request(prompt: str = "a cat", seed: int = 1, side: int = NATIVE_PX, **more: Any) -> GenerationRequest:
    return GenerationRequest(prompt, seed, side, side, 2, 3.0, **more)


@pytest.fixture
def generator(open_generator: Callable[[str], ImageGenerator]) -> DiffusersGenerator:
    opened = open_generator("sd")
    assert isinstance(opened, DiffusersGenerator)
    return opened


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models / "sd", tmp_path / "copy"))


def test_facts_of_the_pipeline(open_generator: Callable[[str], ImageGenerator]) -> None:
    sd, sdxl, sd3 = (open_generator(name).info for name in ("sd", "sdxl", "sd3"))
    assert [info.size_multiple_px for info in (sd, sdxl, sd3)] == [2, 2, 4]
    assert [info.max_prompt_tokens for info in (sd, sdxl, sd3)] == [77, 77, 77]
    assert [info.native_width_px for info in (sd, sdxl, sd3)] == [NATIVE_PX] * 3
    assert [info.sampler.split("-")[0] for info in (sd, sdxl, sd3)] == [
        "PNDMScheduler", "EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"]
    assert sd.supports_negative_prompt
    assert (sd.default_num_inference_steps, sd.default_guidance_scale) == (50, 7.5)


def test_a_bad_size_names_the_sizes_around_it(generator: DiffusersGenerator) -> None:
    with pytest.raises(BadSetting, match="Give 32 or 34"):
        generator.check(request(side=33))
    with pytest.raises(BadSetting, match="Give 2"):
        generator.check(request(side=1))


def test_other_sizes_and_negative_prompts_are_drawn(generator: DiffusersGenerator) -> None:
    plain, large, negative = generator.generate(
        [request(), request(side=2 * NATIVE_PX), request(negative_prompt="a dog")])
    assert isinstance(large, np.ndarray) and large.shape == (64, 64, 3)
    assert isinstance(negative, np.ndarray) and not np.array_equal(plain, negative)


def limit_batch(generator: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch, largest: int) -> list[int]:
    """Makes the pipeline run out of memory beyond ``largest`` pictures; returns the batch sizes it was asked for."""
    import torch

    pipeline, asked = generator._pipeline, []

    def limited(**arguments: Any) -> Any:
        asked.append(len(arguments["prompt"]))
        if asked[-1] > largest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return pipeline(**arguments)

    monkeypatch.setattr(generator, "_pipeline", limited)
    monkeypatch.setattr(generator, "_largest_batch", 2**30)
    return asked


def test_out_of_memory_halves_the_batch_and_goes_on(
    generator: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = generator.generate([request(seed=seed) for seed in range(5)])
    asked = limit_batch(generator, monkeypatch, largest=2)
    images = generator.generate([request(seed=seed) for seed in range(5)])
    assert asked == [5, 2, 2, 1]
    for image, other in zip(images, expected, strict=True):
        assert isinstance(image, np.ndarray) and isinstance(other, np.ndarray)
        assert np.abs(image.astype(int) - other).max() <= 2
    asked.clear()
    generator.generate([request(seed=seed) for seed in range(4)])
    assert asked == [2, 2], "what fits is remembered"


def test_not_even_one_image_is_an_error_of_its_own(
    generator: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_batch(generator, monkeypatch, largest=0)
    with pytest.raises(OutOfMemory, match="not even one image"):
        generator.generate([request(), request()])


def test_a_prompt_that_breaks_the_engine_fails_alone(
    generator: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = generator._pipeline

    def picky(**arguments: Any) -> Any:
        if "bad" in arguments["prompt"]:
            raise ValueError("no such word\nand more lines")
        return pipeline(**arguments)

    monkeypatch.setattr(generator, "_pipeline", picky)
    good, bad, fine = generator.generate([request("good"), request("bad"), request("fine")])
    assert isinstance(good, np.ndarray) and isinstance(fine, np.ndarray)
    assert isinstance(bad, GenerationFailed)
    assert str(bad) == "ValueError: no such word."


@pytest.mark.parametrize(("value", "reason"), [(0.0, "black all over"), (float("nan"), "NaN")])
def test_black_and_broken_pictures_are_failures(
    generator: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch, value: float, reason: str
) -> None:
    class Output:
        images = np.full((1, NATIVE_PX, NATIVE_PX, 3), value, np.float32)

    monkeypatch.setattr(generator, "_pipeline", lambda **arguments: Output())
    (result,) = generator.generate([request()])
    assert isinstance(result, GenerationFailed)
    assert reason in str(result)


def test_what_a_safety_checker_blacks_out_is_a_failure(copy: Path) -> None:
    save_safety_checker(copy)
    (result,) = create_generator(str(copy), "cpu").generate([request()])
    assert isinstance(result, GenerationFailed)
    assert "safety checker" in str(result)


def test_the_revision_is_that_of_the_weights(models: Path, copy: Path) -> None:
    from synthvlm_ui.backends.model_files import revision_of

    assert revision_of(copy) == revision_of(models / "sd")
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert revision_of(copy) != revision_of(models / "sd")


def test_pickled_weights_are_refused(copy: Path) -> None:
    weights = next((copy / "unet").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelUnavailable, match="pickled"):
        create_generator(str(copy))


@pytest.mark.parametrize(("damage", "said"), [
    (lambda path: shutil.rmtree(path / "vae"), "the folder vae is missing"),
    (lambda path: next((path / "vae").glob("*.safetensors")).unlink(), "vae holds no"),
    (lambda path: (path / "model_index.json").write_text("{"), "model_index.json"),
    (lambda path: (path / "model_index.json").write_text(json.dumps({"_class_name": "NoSuchPipe"})), "NoSuchPipe"),
    (lambda path: next((path / "vae").glob("*.safetensors")).write_bytes(b"torn"), "cannot be loaded"),
])
def test_a_damaged_directory_is_named_in_one_line(copy: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(copy)
    with pytest.raises(ModelUnavailable) as caught:
        create_generator(str(copy))
    line = str(caught.value)
    assert said in line and str(copy) in line and "\n" not in line


def test_a_pipeline_saved_in_half_precision_files_is_found(copy: Path) -> None:
    for weights in [*copy.rglob("*.safetensors")]:
        weights.rename(weights.with_name(weights.name.replace(".safetensors", ".fp16.safetensors")))
    (result,) = create_generator(str(copy), "cpu").generate([request()])
    assert isinstance(result, np.ndarray)
