"""Any text-to-image pipeline of diffusers as an ImageGenerator.

Noise is drawn per image from a generator of its own on the CPU, so a picture does not depend on its batch nor, up to
rounding, on the device. Knows neither captions nor files of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.backends.decoding import Decoder, pictured
from synthvlm_ui.backends.device import device_lost, is_device_lost, is_out_of_memory, release_memory
from synthvlm_ui.backends.diffusers_families import encode_prompts, is_guided, is_known, stacked
from synthvlm_ui.backends.diffusers_loading import Loaded, call_parameters, load_pipeline, open_directory
from synthvlm_ui.backends.generator_facts import GeneratorFacts, PipelineParts, pipeline_facts
from synthvlm_ui.backends.model_files import looks_like_hub_id
from synthvlm_ui.errors import BadSetting, GenerationFailed, OutOfMemory, SynthVLMError
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.records import EngineSettings, GenerationRequest, GeneratorInfo, short_hash

if TYPE_CHECKING:
    import torch

MAX_STEPS = 1000
# Distinct prompts are encoded so many at a time, and remembered up to so many bytes.
_TEXT_BATCH = 16
_TEXT_BYTES = 2**29
_NOTES = (
    "The same request on the same device and thread count gives the same pixels; in a batch of another size, or on "
    "another device, they agree up to rounding."
)


@dataclass
class Latents:
    """What ``denoise`` hands to ``decode``: requests drawn together (by index), their latents or their results."""

    members: list[int]
    height: int
    width: int
    latents: torch.Tensor | None = None
    results: list[UInt8Image | Exception] | None = None
    ready: Any = None


class DiffusersGenerator:
    """Draws with one pipeline on one device: a ``protocols.StagedGenerator``.

    Args: ``source`` is a pipeline directory or a Hub id; ``name`` is what the user called it; ``preset`` replaces the
    pipeline's own defaults and says what is put into it; ``engine`` is what the user wants otherwise.
    Raises: ModelUnavailable, BadSetting, OutOfMemory.
    """

    def __init__(self, source: Path | str, *, device: str = "cpu", name: str = "",
                 preset: GeneratorFacts | None = None, engine: EngineSettings | None = None) -> None:
        name = name or str(source)
        directory = open_directory(source)
        model = preset.model if preset else name if looks_like_hub_id(name) else directory.name
        loaded = load_pipeline(directory, model, device, engine or EngineSettings(),
                               preset.parts if preset else PipelineParts())
        self._take(loaded, device, name, preset)

    @classmethod
    def of_pipeline(cls, pipeline: Loaded, device: str, name: str) -> DiffusersGenerator:
        """A generator around a pipeline that is loaded already."""
        self = cls.__new__(cls)
        self._take(pipeline, device, name, None)
        return self

    def _take(self, loaded: Loaded, device: str, name: str, preset: GeneratorFacts | None) -> None:
        self.device, self.choice = device, loaded.choice
        self._pipeline, self._refiner, self._denoising_end = loaded.pipeline, loaded.refiner, loaded.denoising_end
        self._accepted = call_parameters(self._pipeline)
        # Parts that move in and out cannot be used by two threads at once: then a batch is drawn to its end at once.
        self._staged = is_known(self._pipeline) and loaded.choice.offload == "none"
        self._decoder = Decoder(self._pipeline, device)
        self._largest_batch = 2**30
        self._texts: dict[tuple[object, ...], dict[str, torch.Tensor]] = {}
        self.info = _info_of(loaded, name, preset)

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
        """One picture per request, in order, or what kept it from being drawn. Raises: OutOfMemory, DeviceLost."""
        return self.decode(self.denoise(requests))

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        """Encodes the texts of a chunk, as many as there is room for, and forgets those of the one before."""
        import torch

        self._texts = {}
        if not is_known(self._pipeline):
            return
        kept = 0
        with torch.inference_mode():
            for pipeline in (self._pipeline, self._refiner):
                if pipeline is None:
                    continue
                keys = list(dict.fromkeys(_text_key(pipeline, request) for request in requests))
                for start in range(0, len(keys), _TEXT_BATCH):
                    if kept > _TEXT_BYTES:
                        break
                    found = self._encode(pipeline, keys[start:start + _TEXT_BATCH])
                    kept += sum(tensor.nbytes for one in found.values() for tensor in one.values())
                    self._texts |= found

    def denoise(self, requests: Sequence[GenerationRequest]) -> list[Latents]:
        """All but decoding, in batches that fit, each of requests that one call can draw. Raises: see generate."""
        begun: list[Latents] = []
        for members in _alike(requests):
            first = requests[members[0]]
            try:
                self.check(first)
            except BadSetting as error:
                begun.append(Latents(members, first.height, first.width, results=[error] * len(members)))
            else:
                begun += self._denoise_alike(requests, members)
        return begun

    def decode(self, latents: Sequence[Latents]) -> list[UInt8Image | Exception]:
        """Pixels of what ``denoise`` returned, in the order of its requests. Raises: see generate."""
        results: dict[int, UInt8Image | Exception] = {}
        for begun in latents:
            drawn = begun.results
            if begun.latents is not None:
                drawn = self._decoder.decode(begun.latents, begun.height, begun.width, begun.ready)
                begun.latents = None
            results |= zip(begun.members, drawn or [], strict=True)
        return [results[index] for index in sorted(results)]

    def _denoise_alike(self, requests: Sequence[GenerationRequest], members: Sequence[int]) -> list[Latents]:
        """Requests that differ in prompt and seed only, in batches that fit."""
        begun: list[Latents] = []
        done = 0
        while done < len(members):
            batch = list(members[done:done + self._largest_batch])
            try:
                begun.append(self._denoise_batch([requests[index] for index in batch], batch))
            except Exception as error:
                if is_device_lost(error):
                    raise device_lost(self.device, error, "while drawing") from error
                if is_out_of_memory(error):
                    self._shrink(len(batch), error)
                    continue
                if len(batch) == 1:
                    begun.append(Latents(batch, 0, 0, results=[_failure(error)]))
                else:  # one of them breaks the engine: find out which by drawing each alone
                    begun += [one for index in batch for one in self._denoise_alike(requests, [index])]
            done += len(batch)
        return begun

    def _shrink(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise OutOfMemory(f"not even one image fits into the memory of {self.device}", where=self.info.name,
                              fix="Choose a smaller size or model, or --offload sequential.") from error
        self._largest_batch = tried // 2
        self.info = replace(self.info, engine=f"{self.choice}, batches of {self._largest_batch} after running out of "
                                              "memory")
        release_memory()

    def _denoise_batch(self, requests: Sequence[GenerationRequest], members: list[int]) -> Latents:
        import torch

        first = requests[0]
        wanted: dict[str, Any] = {
            "width": first.width, "height": first.height, "num_inference_steps": first.num_inference_steps,
            "guidance_scale": first.guidance_scale, "denoising_end": self._denoising_end,
            "generator": [torch.Generator("cpu").manual_seed(request.seed) for request in requests],
            "output_type": "latent" if is_known(self._pipeline) else "np",
        }
        with torch.inference_mode():
            output = self._pipeline(**self._texts_of(self._pipeline, requests), **self._understood(wanted)).images
            if self._refiner is not None:
                wanted |= {"image": output, "denoising_start": self._denoising_end, "denoising_end": None}
                for name in ("width", "height"):
                    del wanted[name]
                output = self._refiner(**self._texts_of(self._refiner, requests), **wanted).images
        begun = Latents(members, first.height, first.width)
        if not is_known(self._pipeline):
            begun.results = [_checked(image) for image in output]
        elif not self._staged:
            begun.results = self._decoder.decode(output, first.height, first.width, None)
            self._pipeline.maybe_free_model_hooks()
        else:
            begun.latents, begun.ready = output, self._decoder.mark()
        return begun

    def _understood(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if name in self._accepted}

    def _texts_of(self, pipeline: Any, requests: Sequence[GenerationRequest]) -> dict[str, Any]:
        """The arguments that say what to draw: embeddings, remembered or made now, or the prompts themselves."""
        if not is_known(pipeline):
            texts: dict[str, Any] = {"prompt": [request.prompt for request in requests]}
            if requests[0].negative_prompt is not None:
                texts["negative_prompt"] = [request.negative_prompt for request in requests]
            return self._understood(texts)
        keys = [_text_key(pipeline, request) for request in requests]
        found = {key: self._texts[key] for key in keys if key in self._texts}
        found |= self._encode(pipeline, list(dict.fromkeys(key for key in keys if key not in found)))
        return stacked([found[key] for key in keys])

    @staticmethod
    def _encode(pipeline: Any, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[object, ...], dict[str, torch.Tensor]]:
        found: dict[tuple[object, ...], dict[str, torch.Tensor]] = {}
        for guided, without in dict.fromkeys((key[2], key[3] is None) for key in keys):
            alike = [key for key in keys if (key[2], key[3] is None) == (guided, without)]
            negatives = None if without else [key[3] for key in alike]
            encoded = encode_prompts(pipeline, [key[1] for key in alike], negatives, guided)
            found |= zip(alike, encoded, strict=True)
        return found


def _text_key(pipeline: Any, request: GenerationRequest) -> tuple[object, ...]:
    guided = is_guided(pipeline, request.guidance_scale)
    return type(pipeline).__name__, request.prompt, guided, request.negative_prompt if guided else None


def _alike(requests: Sequence[GenerationRequest]) -> Iterator[list[int]]:
    """Indices of requests that one call of a pipeline can draw together."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, request in enumerate(requests):
        key = (request.width, request.height, request.num_inference_steps, request.guidance_scale,
               request.negative_prompt is None)
        groups.setdefault(key, []).append(index)
    yield from groups.values()


def _failure(error: Exception) -> SynthVLMError:
    if isinstance(error, SynthVLMError):
        return error
    return GenerationFailed(f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _checked(image: NDArray[np.float32]) -> UInt8Image | Exception:
    """(height, width, 3) floats in [0, 1] as a picture."""
    finite = np.isfinite(image).all()
    return pictured((np.nan_to_num(image) * 255).round().astype(np.uint8), not finite, False)


def _info_of(loaded: Loaded, name: str, preset: GeneratorFacts | None) -> GeneratorInfo:
    """What the loaded pipeline says of itself; a preset's defaults win over the pipeline's."""
    pipeline = loaded.pipeline
    scheduler = pipeline.scheduler
    parameters = call_parameters(pipeline)
    facts = preset or pipeline_facts(name, loaded.directory)
    steps, guidance = facts.num_inference_steps, facts.guidance_scale
    if preset is None:
        steps = int(_default(parameters, "num_inference_steps", steps))
        guidance = float(_default(parameters, "guidance_scale", 0.0))
    return GeneratorInfo(
        name=name,
        model=loaded.model,
        revision=loaded.revision,
        sampler=f"{type(scheduler).__name__}-{short_hash(_plain(scheduler.config))[:8]}",
        native_width_px=facts.native_px,
        native_height_px=facts.native_px,
        default_num_inference_steps=steps,
        default_guidance_scale=guidance,
        size_multiple_px=_size_multiple(pipeline),
        max_prompt_tokens=_max_prompt_tokens(pipeline),
        supports_negative_prompt="negative_prompt" in parameters and not _is_distilled_guidance(pipeline),
        licence=facts.licence,
        notes=_NOTES,
        engine=str(loaded.choice),
    )


def _is_distilled_guidance(pipeline: Any) -> bool:
    """FLUX takes the guidance as a number and runs no second pass that a negative prompt could steer."""
    return type(pipeline).__name__.startswith("Flux")


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
