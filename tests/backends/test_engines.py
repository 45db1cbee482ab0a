"""Putting full-size engines together, on tiny random weights of the real classes: halves, refiner, distilled weights,
decoders, schedulers, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_pipelines import NATIVE_PX, save_tiny_decoder, save_tiny_refiner

from synthvlm_ui.backends import create_generator
from synthvlm_ui.backends.diffusers_generator import DiffusersGenerator
from synthvlm_ui.backends.generator_facts import GeneratorFacts, PipelineParts
from synthvlm_ui.errors import BadSetting, DeviceLost, GenerationFailed, ModelUnavailable, UnknownName
from synthvlm_ui.protocols import ImageGenerator, StagedGenerator
from synthvlm_ui.records import EngineSettings, GenerationRequest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
Opened = Callable[[str], ImageGenerator]


def request(prompt: str = "a cat", seed: int = 1, steps: int = 2, guidance: float = 3.0,
            negative: str | None = None) -> GenerationRequest:
    return GenerationRequest(prompt, seed, NATIVE_PX, NATIVE_PX, steps, guidance, negative)


def pixels(generator: ImageGenerator, *requests: GenerationRequest) -> list[np.ndarray]:
    images = generator.generate(requests or (request(),))
    for image in images:
        assert isinstance(image, np.ndarray), image
    return [image for image in images if isinstance(image, np.ndarray)]


def opened(directory: Path, **engine: Any) -> DiffusersGenerator:
    generator = create_generator(str(directory), "cpu", EngineSettings(**engine))
    assert isinstance(generator, DiffusersGenerator)
    return generator


@pytest.mark.parametrize("negative", [None, "a dog"])
@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_pictures_are_those_of_diffusers_own_call(open_generator: Opened, name: str, negative: str | None) -> None:
    """Encoding and decoding apart from drawing is the pipeline's own arithmetic, pixel for pixel."""
    import torch

    generator = open_generator(name)
    assert isinstance(generator, DiffusersGenerator)
    wanted = [request("a cat", 1, negative=negative), request("two dogs", 2, negative=negative)]
    options: dict[str, Any] = {"negative_prompt": [negative] * 2} if negative and name != "flux" else {}
    with torch.inference_mode():
        theirs = generator._pipeline(
            prompt=[one.prompt for one in wanted], width=NATIVE_PX, height=NATIVE_PX, num_inference_steps=2,
            guidance_scale=3.0, generator=[torch.Generator("cpu").manual_seed(one.seed) for one in wanted],
            output_type="np", **options).images
    for ours, reference in zip(pixels(generator, *wanted), theirs, strict=True):
        assert np.array_equal(ours, (reference * 255).round().astype(np.uint8))


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux", "amused"])
def test_texts_are_encoded_once_and_the_halves_make_the_whole(
    open_generator: Opened, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = open_generator(name)
    assert isinstance(generator, StagedGenerator)
    wanted = [request("a cat", 1), request("a cat", 2), request("two dogs", 3)]
    expected = pixels(generator, *wanted)
    generator.prepare(wanted)
    encoder: Any = generator._text if name == "amused" else generator._pipeline.text_encoder
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "forward", lambda *_, **__: pytest.fail("encoded again"))
        drawn = generator.decode(generator.denoise(wanted))
    for image, other in zip(drawn, expected, strict=True):
        assert isinstance(image, np.ndarray) and np.abs(image.astype(int) - other).max() <= 2
    generator.prepare([])


def test_the_refiner_takes_over_where_the_base_stops(models: Path, tmp_path: Path) -> None:
    import torch

    refiner = save_tiny_refiner(tmp_path / "refiner", models / "sdxl")
    base = opened(models / "sdxl")
    refined = opened(models / "sdxl", refiner=str(refiner), denoising_end=0.5)
    wanted = request(steps=4)
    seen: list[int] = []
    unet = refined._refiner.unet
    hook = unet.register_forward_hook(lambda *_: seen.append(1))
    (image,) = pixels(refined, wanted)
    hook.remove()
    assert len(seen) == 2, "half of four steps are the refiner's"
    assert not np.array_equal(image, pixels(base, wanted)[0])
    with torch.inference_mode():
        source = torch.Generator("cpu").manual_seed(wanted.seed)
        latents = refined._pipeline(prompt=[wanted.prompt], width=NATIVE_PX, height=NATIVE_PX, num_inference_steps=4,
                                    guidance_scale=3.0, generator=[source], denoising_end=0.5,
                                    output_type="latent").images
        theirs = refined._refiner(
            prompt=[wanted.prompt], image=latents, num_inference_steps=4, guidance_scale=3.0, denoising_start=0.5,
            generator=[torch.Generator("cpu").manual_seed(wanted.seed)], output_type="np").images[0]
    assert np.array_equal(image, (theirs * 255).round().astype(np.uint8))
    assert refined._refiner.vae is refined._pipeline.vae
    assert refined.info.model == "sdxl + refiner from 0.5"
    assert refined.info.revision != base.info.revision
    with pytest.raises(BadSetting, match="cannot follow"):
        opened(models / "sd", refiner=str(refiner))


def test_a_preset_puts_in_distilled_weights_and_a_scheduler(models: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(models / "sdxl" / "unet" / "diffusion_pytorch_model.safetensors")
    first = next(iter(weights))
    weights[first] = weights[first] + 0.1
    save_file(weights, tmp_path / "distilled.safetensors")
    preset = GeneratorFacts("few", "org/base", "ready", "", 4, 0.0, NATIVE_PX, parts=PipelineParts(
        unet=str(tmp_path / "distilled.safetensors"), scheduler="euler-trailing"))
    few = DiffusersGenerator(models / "sdxl", name="few", preset=preset)
    plain = opened(models / "sdxl", scheduler="euler-trailing")
    assert few.info.model == "org/base + distilled.safetensors"
    assert few.info.revision != plain.info.revision
    assert few.info.sampler == plain.info.sampler != opened(models / "sdxl").info.sampler
    assert (few.info.default_num_inference_steps, few.info.default_guidance_scale) == (4, 0.0)
    timesteps = few._pipeline.scheduler
    timesteps.set_timesteps(4)
    assert timesteps.timesteps.tolist() == [999, 749, 499, 249]
    assert not np.array_equal(pixels(few, request(steps=4, guidance=0.0))[0],
                              pixels(plain, request(steps=4, guidance=0.0))[0])


def test_a_lora_becomes_part_of_the_weights(models: Path, tmp_path: Path) -> None:
    from diffusers import StableDiffusionXLPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    plain = opened(models / "sdxl")
    unet: Any = opened(models / "sdxl")._pipeline.unet
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    StableDiffusionXLPipeline.save_lora_weights(tmp_path, unet_lora_layers=get_peft_model_state_dict(unet))
    lora = opened(models / "sdxl", lora=str(tmp_path), scheduler="lcm")
    assert not hasattr(lora._pipeline.unet, "peft_config")
    assert type(lora._pipeline.scheduler).__name__ == "LCMScheduler"
    assert not np.array_equal(pixels(lora)[0], pixels(plain)[0])
    assert lora.info.model == "sdxl + pytorch_lora_weights.safetensors"


def test_a_tiny_decoder_is_another_model(models: Path, tmp_path: Path) -> None:
    whole, tiny = opened(models / "sd"), opened(models / "sd", vae=str(save_tiny_decoder(tmp_path / "taesd")))
    assert tiny.info.model == "sd + taesd"
    assert tiny.info.revision != whole.info.revision
    assert not np.array_equal(pixels(tiny)[0], pixels(whole)[0])


@pytest.mark.parametrize("engine", [
    {"vae": "tiled"}, {"vae": "sliced"}, {"fuse_qkv": True}, {"attention": "sliced"}, {"dtype": "bfloat16"},
], ids=str)
def test_what_changes_only_the_rounding_keeps_the_name(models: Path, engine: dict[str, Any]) -> None:
    plain, other = opened(models / "sd"), opened(models / "sd", **engine)
    assert replace(other.info, engine="") == replace(plain.info, engine="")
    assert other.info.engine != plain.info.engine
    difference = np.abs(pixels(other)[0].astype(int) - pixels(plain)[0]).mean()
    assert difference < (20 if "dtype" in engine else 1)


def test_blocks_are_compiled_where_they_repeat(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own tracing, without the minutes of generating machine code."""
    import torch

    compiled: list[str] = []
    original = torch.nn.Module.compile

    def eager(self: torch.nn.Module, *arguments: Any, **options: Any) -> None:
        compiled.append(type(self).__name__)
        original(self, *arguments, **{**options, "backend": "eager"})

    plain = pixels(opened(models / "sd3"), replace(request(), width=NATIVE_PX))
    monkeypatch.setattr(torch.nn.Module, "compile", eager)
    generator = opened(models / "sd3", compile=True)
    assert set(compiled) == {"JointTransformerBlock"}
    assert np.abs(pixels(generator)[0].astype(int) - plain[0]).max() <= 2
    assert "compiled blocks" in generator.info.engine


@pytest.mark.parametrize(("engine", "error", "said"), [
    ({"scheduler": "no-such"}, UnknownName, "euler-trailing"),
    ({"dtype": "int3"}, BadSetting, "bfloat16"),
    ({"offload": "far"}, BadSetting, "sequential"),
    ({"attention": "flash"}, BadSetting, "a UNet cannot use flash"),
    ({"attention": "xformers"}, BadSetting, "xformers"),
    ({"denoising_end": 1.5}, BadSetting, "between 0 and 1"),
    ({"lora": "no/such/place.safetensors"}, ModelUnavailable, "no such weights"),
], ids=str)
def test_what_cannot_be_put_together_is_said(
    models: Path, engine: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        opened(models / "sd", **engine)
    assert said in str(caught.value)


def test_weights_of_another_model_are_named(models: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torch import zeros

    save_file({"other": zeros(1)}, tmp_path / "other.safetensors")
    preset = GeneratorFacts("few", "m", "ready", "", parts=PipelineParts(unet=str(tmp_path / "other.safetensors")))
    with pytest.raises(ModelUnavailable, match="does not fit the pipeline"):
        DiffusersGenerator(models / "sdxl", preset=preset)


def test_a_lost_device_is_no_batchs_own_trouble(open_generator: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = open_generator("sd")
    assert isinstance(generator, DiffusersGenerator)

    def lost(*_: Any, **__: Any) -> Any:
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")

    with monkeypatch.context() as patch:
        patch.setattr(generator._pipeline.unet, "forward", lost)
        with pytest.raises(DeviceLost, match="cpu stopped answering.*launch failure.*Resume the job"):
            generator.generate([request(), request(seed=2)])
    with monkeypatch.context() as patch:
        patch.setattr(generator._pipeline.vae.decoder, "forward", lost)
        with pytest.raises(DeviceLost, match="while decoding"):
            generator.generate([request()])


def test_one_broken_picture_of_a_batch_is_one_failure(open_generator: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = open_generator("sdxl")
    assert isinstance(generator, DiffusersGenerator)
    decoder = generator._pipeline.vae.decoder
    forward = decoder.forward

    def broken(*arguments: Any, **options: Any) -> Any:
        image = forward(*arguments, **options)
        image[1, 0, 3, 3] = float("nan")
        return image

    monkeypatch.setattr(decoder, "forward", broken)
    fine, nan, also_fine = generator.generate([request(seed=seed) for seed in range(3)])
    assert isinstance(fine, np.ndarray) and isinstance(also_fine, np.ndarray)
    assert isinstance(nan, GenerationFailed) and "NaN" in str(nan)


def test_decoding_that_runs_out_of_memory_goes_on_one_by_one(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    generator = opened(models / "sd")
    expected = pixels(generator, request(seed=1), request(seed=2))
    decoder = generator._pipeline.vae.decoder
    forward = decoder.forward

    def limited(latents: Any, *rest: Any, **options: Any) -> Any:
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(latents, *rest, **options)

    monkeypatch.setattr(decoder, "forward", limited)
    for image, other in zip(pixels(generator, request(seed=1), request(seed=2)), expected, strict=True):
        assert np.abs(image.astype(int) - other).max() <= 2
