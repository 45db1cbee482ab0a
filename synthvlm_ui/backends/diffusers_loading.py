"""Loads any text-to-image pipeline of diffusers from safetensors and says in one line why it could not.

Knows no request.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthvlm_ui.backends.device import device_memory, dtype_name, is_out_of_memory, pipeline_dtype, torch_dtype
from synthvlm_ui.backends.diffusers_assembly import (
    digest_of,
    is_tiny,
    load_lora,
    load_unet,
    place,
    set_scheduler,
    set_tiny_vae,
)
from synthvlm_ui.backends.engine_choice import EngineChoice, check_engine, choose_engine, parameters_of
from synthvlm_ui.backends.generator_facts import PipelineParts, pipeline_facts
from synthvlm_ui.backends.model_files import (
    PIPELINE_INDEX,
    looks_like_hub_id,
    problem_of_pipeline,
    read_json,
    revision_of,
    unavailable,
    variant_of_pipeline,
)
from synthvlm_ui.errors import BadSetting, ModelUnavailable, OutOfMemory, SynthVLMError
from synthvlm_ui.models.torchvision_ops import ensure_importable
from synthvlm_ui.records import EngineSettings, short_hash

# Half the download; every preset and most popular models have it, and diffusers falls back where they do not.
_HUB_VARIANT = "fp16"


@dataclass(frozen=True)
class Loaded:
    """A pipeline ready to draw. ``model`` and ``revision`` name everything that it was put together from."""

    pipeline: Any
    directory: Path
    choice: EngineChoice
    model: str
    revision: str
    refiner: Any = None
    denoising_end: float | None = None


def open_directory(source: Path | str) -> Path:
    """The directory of a pipeline that can be loaded; a Hub id is downloaded. Raises: ModelUnavailable."""
    ensure_importable()
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for log in (diffusers_logging, transformers_logging):
        log.set_verbosity_error()
        log.disable_progress_bar()
    directory = source if isinstance(source, Path) else _download(source)
    problem = problem_of_pipeline(directory)
    if problem:
        raise ModelUnavailable(f"this pipeline cannot be loaded: {problem}", where=str(directory))
    return directory


def load_pipeline(directory: Path, name: str, device: str, engine: EngineSettings, parts: PipelineParts) -> Loaded:
    """The pipeline on its device, put together as ``parts`` and, over them, ``engine`` say.

    Raises: ModelUnavailable, BadSetting, UnknownName, OutOfMemory.
    """
    check_engine(engine)
    refined = engine.refiner or parts.refiner
    refiner_directory = open_directory(refined if looks_like_hub_id(refined) else Path(refined).expanduser()) \
        if refined else None
    counts = parameters_of(directory)
    if refiner_directory is not None:
        counts["refiner"] = parameters_of(refiner_directory).get("unet", 0)
    choice = choose_engine(engine, dtype_name(pipeline_dtype(device)), counts, device_memory(device),
                           pipeline_facts(name, directory).native_px)
    try:
        pipeline = _read(directory, choice)
        if "prompt" not in call_parameters(pipeline):
            raise ModelUnavailable(f"{type(pipeline).__name__} draws nothing from a text alone", where=str(directory),
                                   fix="Choose a text-to-image pipeline.")
        put_in = _put_in(pipeline, choice, engine, parts)
        refiner = None
        if refiner_directory is not None:
            refiner = _refiner(pipeline, refiner_directory, choice)
            put_in["refiner"] = refiner_directory
        for one in (pipeline, refiner):
            if one is not None:
                place(one, choice, device)
                one.set_progress_bar_config(disable=True)
    except SynthVLMError:
        raise
    except Exception as error:
        raise _cannot(error, directory, device) from error
    end = (engine.denoising_end or parts.denoising_end) if refiner is not None else None
    revision = revision_of(directory)
    if put_in:
        revision = short_hash(revision, end, {kind: digest_of(path) for kind, path in put_in.items()})
    added = [f"{_name_of(path)} from {end:g}" if kind == "refiner" else _name_of(path)
             for kind, path in put_in.items()]
    return Loaded(pipeline, directory, choice, " + ".join([name, *added]), revision, refiner, end)


def _read(directory: Path, choice: EngineChoice) -> Any:
    return _from_pretrained(
        directory, dtype=torch_dtype(choice.dtype), use_safetensors=True, local_files_only=True,
        variant=variant_of_pipeline(directory), **dict.fromkeys(_left_out(directory)))


def _put_in(pipeline: Any, choice: EngineChoice, engine: EngineSettings, parts: PipelineParts) -> dict[str, Path]:
    """Replaces what is to be replaced; returns the files by kind, in the order in which they are named."""
    put_in = {}
    if parts.unet:
        put_in["unet"] = load_unet(pipeline, parts.unet)
    if engine.lora or parts.lora:
        put_in["lora"] = load_lora(pipeline, engine.lora or parts.lora)
    if is_tiny(choice.vae):
        source = parts.tiny_vae if choice.vae == "tiny" and parts.tiny_vae else choice.vae
        put_in["vae"] = set_tiny_vae(pipeline, source, torch_dtype(choice.dtype))
    if engine.scheduler or parts.scheduler:
        set_scheduler(pipeline, engine.scheduler or parts.scheduler)
    return put_in


def _refiner(base: Any, directory: Path, choice: EngineChoice) -> Any:
    """The refiner of SDXL, sharing with the base what is the same in both: decoder and second text encoder."""
    from diffusers import StableDiffusionXLImg2ImgPipeline

    if not type(base).__name__.startswith("StableDiffusionXL"):
        raise BadSetting(f"a refiner cannot follow {type(base).__name__}", where="--refiner",
                         fix="Leave it out, or draw with SDXL.")
    return StableDiffusionXLImg2ImgPipeline.from_pretrained(
        directory, dtype=torch_dtype(choice.dtype), use_safetensors=True, local_files_only=True,
        variant=variant_of_pipeline(directory), vae=base.vae, text_encoder_2=base.text_encoder_2,
        tokenizer_2=base.tokenizer_2, **dict.fromkeys(_left_out(directory)))


def _cannot(error: Exception, directory: Path, device: str) -> SynthVLMError:
    if is_out_of_memory(error):
        return OutOfMemory(f"{directory.name} does not fit into the memory of {device}",
                           fix="Choose a smaller model, --offload sequential, or another device.")
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return ModelUnavailable(f"this pipeline cannot be loaded: {reason}", where=str(directory))


def _name_of(path: Path) -> str:
    """"org/name" of a snapshot in the Hub's cache, with the file when it is one; else the last part of the path."""
    for parent in (path, *path.parents):
        if parent.name.startswith("models--"):
            repository = parent.name.removeprefix("models--").replace("--", "/")
            return f"{repository}:{path.name}" if path.is_file() else repository
    return path.name


def call_parameters(pipeline: Any) -> Mapping[str, inspect.Parameter]:
    """The arguments that a call of this pipeline takes."""
    return inspect.signature(type(pipeline).__call__).parameters


def _from_pretrained(directory: Path, **options: Any) -> Any:
    """The text-to-image sibling of whatever pipeline was saved here, or that pipeline when it has no siblings."""
    from diffusers import AutoPipelineForText2Image, DiffusionPipeline

    try:
        return AutoPipelineForText2Image.from_pretrained(directory, **options)
    except ValueError as error:
        if "AutoPipeline can't find" not in str(error):
            raise
        return DiffusionPipeline.from_pretrained(directory, **options)


def _left_out(directory: Path) -> list[str]:
    """Parts saved as absent, such as SD3 without its T5: those that are not optional must be named to stay absent."""
    index = read_json(directory / PIPELINE_INDEX)
    return [part for part, entry in index.items() if isinstance(entry, list) and None in entry]


def _download(hub_id: str) -> Path:
    from diffusers import DiffusionPipeline

    # The client logs every retry; the one line of ModelUnavailable says it.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(DiffusionPipeline.download(hub_id, use_safetensors=True, variant=_HUB_VARIANT))
    except Exception as error:
        raise unavailable(hub_id, "complete pipeline with safetensors", error) from error
