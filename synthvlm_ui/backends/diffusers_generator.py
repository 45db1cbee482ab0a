"""Any text-to-image pipeline of diffusers as an ImageGenerator.

Noise is drawn per image from a generator of its own on the CPU, so a picture does not depend on its batch nor, up to
rounding, on the device. Knows neither captions nor files of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.backends.device import is_out_of_memory, release_memory
from synthvlm_ui.backends.diffusers_loading import call_parameters, load_pipeline
from synthvlm_ui.backends.generator_facts import GeneratorFacts, pipeline_facts
from synthvlm_ui.backends.model_files import looks_like_hub_id, revision_of
from synthvlm_ui.errors import BadSetting, GenerationFailed, OutOfMemory, SynthVLMError
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.records import GenerationRequest, GeneratorInfo, short_hash

MAX_STEPS = 1000
# These draw the noise of a whole batch from one generator, so seeds per image need batches of one.
_ONE_NOISE_SOURCE = ("AmusedScheduler",)
_NOTES = (
    "The same request on the same device and thread count gives the same pixels; in a batch of another size, or on "
    "another device, they agree up to rounding."
)


class DiffusersGenerator:
    """Draws with one pipeline on one device.

    Args: ``source`` is a pipeline directory or a Hub id; ``name`` is what the user called it; ``preset`` replaces the
    pipeline's own defaults.
    Raises: ModelUnavailable, OutOfMemory.
    """

    def __init__(self, source: Path | str, *, device: str = "cpu", name: str = "",
                 preset: GeneratorFacts | None = None) -> None:
        self.device = device
        self._pipeline, directory = load_pipeline(source, device)
        self._accepted = call_parameters(self._pipeline)
        self._largest_batch = 1 if type(self._pipeline.scheduler).__name__ in _ONE_NOISE_SOURCE else 2**30
        self.info = _info_of(self._pipeline, directory, name or str(source), preset)

    def check(self, request: GenerationRequest) -> None:
        """Raises BadSetting with the accepted values when this request could never be drawn."""
        multiple = self.info.size_multiple_px
        for name, side in (("width", request.width), ("height", request.height)):
            if side < multiple or side % multiple:
                below, above = max(multiple, side // multiple * multiple), max(1, side // multiple + 1) * multiple
                nearest = f"{below}" if side < multiple else f"{below} or {above}"
                raise BadSetting(f"{name} is {side}, which is no multiple of {multiple}", where=self.info.name,
                                 fix=f"Give {nearest}.")
        if not 1 <= request.num_inference_steps <= MAX_STEPS:
            raise BadSetting(f"num_inference_steps is {request.num_inference_steps}", where=self.info.name,
                             fix=f"Give a whole number from 1 to {MAX_STEPS}.")
        if not (math.isfinite(request.guidance_scale) and request.guidance_scale >= 0):
            raise BadSetting(f"guidance_scale is {request.guidance_scale}", where=self.info.name,
                             fix="Give 0 or more.")

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        """One picture per request, in order, or what kept it from being drawn. Raises: OutOfMemory."""
        results: list[UInt8Image | Exception] = [GenerationFailed("not drawn")] * len(requests)
        for members in _alike(requests):
            try:
                self.check(requests[members[0]])
            except BadSetting as error:
                drawn: list[UInt8Image | Exception] = [error] * len(members)
            else:
                drawn = self._draw_all([requests[index] for index in members])
            for index, result in zip(members, drawn, strict=True):
                results[index] = result
        return results

    def _draw_all(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        """Requests that differ in prompt and seed only, in batches that fit."""
        drawn: list[UInt8Image | Exception] = []
        while len(drawn) < len(requests):
            batch = requests[len(drawn) : len(drawn) + self._largest_batch]
            try:
                drawn += self._draw(batch)
            except Exception as error:
                if is_out_of_memory(error):
                    self._shrink(len(batch), error)
                elif len(batch) == 1:
                    drawn.append(_failure(error))
                else:  # one of them breaks the engine: find out which by drawing each alone
                    drawn += [result for request in batch for result in self._draw_all([request])]
        return drawn

    def _shrink(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise OutOfMemory(f"not even one image fits into the memory of {self.device}", where=self.info.name,
                              fix="Choose a smaller size or model.") from error
        self._largest_batch = tried // 2
        release_memory()

    def _draw(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        import torch

        first = requests[0]
        sources = [torch.Generator("cpu").manual_seed(request.seed) for request in requests]
        wanted: dict[str, Any] = {
            "prompt": [request.prompt for request in requests],
            "width": first.width,
            "height": first.height,
            "num_inference_steps": first.num_inference_steps,
            "guidance_scale": first.guidance_scale,
            "generator": sources[0] if self._largest_batch == 1 and len(sources) == 1 else sources,
            "output_type": "np",
        }
        if first.negative_prompt is not None:
            wanted["negative_prompt"] = [request.negative_prompt for request in requests]
        with torch.inference_mode():
            output = self._pipeline(**{name: value for name, value in wanted.items() if name in self._accepted})
        flagged = getattr(output, "nsfw_content_detected", None) or [False] * len(requests)
        return [_checked(pixels, bool(flag)) for pixels, flag in zip(output.images, flagged, strict=True)]


def _alike(requests: Sequence[GenerationRequest]) -> Iterator[list[int]]:
    """Indices of requests that one call of a pipeline can draw together."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, request in enumerate(requests):
        key = (request.width, request.height, request.num_inference_steps, request.guidance_scale,
               request.negative_prompt is None)
        groups.setdefault(key, []).append(index)
    yield from groups.values()


def _checked(pixels: NDArray[np.float32], flagged: bool) -> UInt8Image | Exception:
    """(height, width, 3) floats in [0, 1] as uint8; a black or broken picture is no picture."""
    if flagged:
        return GenerationFailed("the safety checker blacked this image out", fix="Change the prompt or the seed.")
    if not np.isfinite(pixels).all():
        return GenerationFailed("the decoder overflowed (NaN)", fix="Use a model whose decoder runs in this precision.")
    image: UInt8Image = (pixels * 255).round().astype(np.uint8)
    if not image.any():
        return GenerationFailed("black all over: the decoder overflowed, or a safety checker blacked it out")
    return image


def _failure(error: Exception) -> SynthVLMError:
    if isinstance(error, SynthVLMError):
        return error
    return GenerationFailed(f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _info_of(pipeline: Any, directory: Path, name: str, preset: GeneratorFacts | None) -> GeneratorInfo:
    """What the loaded pipeline says of itself; a preset's defaults win over the pipeline's."""
    scheduler = pipeline.scheduler
    parameters = call_parameters(pipeline)
    facts = preset or pipeline_facts(name, directory)
    steps, guidance = facts.num_inference_steps, facts.guidance_scale
    if preset is None:
        steps = int(_default(parameters, "num_inference_steps", steps))
        guidance = float(_default(parameters, "guidance_scale", 0.0))
    return GeneratorInfo(
        name=name,
        model=facts.model if preset or looks_like_hub_id(name) else directory.name,
        revision=revision_of(directory),
        sampler=f"{type(scheduler).__name__}-{short_hash(_plain(scheduler.config))[:8]}",
        native_width_px=facts.native_px,
        native_height_px=facts.native_px,
        default_num_inference_steps=steps,
        default_guidance_scale=guidance,
        size_multiple_px=_size_multiple(pipeline),
        max_prompt_tokens=_max_prompt_tokens(pipeline),
        supports_negative_prompt="negative_prompt" in parameters,
        licence=facts.licence,
        notes=_NOTES,
    )


def _default(parameters: Any, name: str, otherwise: Any) -> Any:
    value = parameters[name].default if name in parameters else otherwise
    return value if isinstance(value, int | float) else otherwise


def _plain(config: Any) -> dict[str, Any]:
    """A scheduler's settings without what names the library's version or the place it was loaded from."""
    return {name: value for name, value in dict(config).items() if not name.startswith("_")}


def _size_multiple(pipeline: Any) -> int:
    scale = int(getattr(pipeline, "vae_scale_factor", 8))
    denoiser = getattr(pipeline, "transformer", None)
    patch = getattr(getattr(denoiser, "config", None), "patch_size", 1)
    processor = getattr(getattr(pipeline, "image_processor", None), "config", None)
    packed = getattr(processor, "vae_scale_factor", scale)
    return max(scale * (patch if isinstance(patch, int) else 1), int(packed))


def _max_prompt_tokens(pipeline: Any) -> int | None:
    """The longest of its text encoders' contexts: beyond it no part of the pipeline sees the prompt."""
    stated = int(_default(call_parameters(pipeline), "max_sequence_length", 0))
    lengths = [0]
    for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        tokenizer = getattr(pipeline, name, None)
        if tokenizer is None:
            continue
        length = int(getattr(tokenizer, "model_max_length", 0))
        is_clip = type(tokenizer).__name__.startswith("CLIP")
        lengths.append(length if is_clip or not stated else stated)
    longest = max(length for length in lengths if length < 100_000)
    return longest or None
