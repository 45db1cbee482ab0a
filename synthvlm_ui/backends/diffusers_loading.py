"""Loads any text-to-image pipeline of diffusers from safetensors and says in one line why it could not.

Knows no request.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.backends.device import is_out_of_memory, pipeline_dtype
from synthvlm_ui.backends.model_files import (
    PIPELINE_INDEX,
    problem_of_pipeline,
    read_json,
    unavailable,
    variant_of_pipeline,
)
from synthvlm_ui.errors import ModelUnavailable, OutOfMemory
from synthvlm_ui.models.torchvision_ops import ensure_importable

# Half the download; every preset and most popular models have it, and diffusers falls back where they do not.
_HUB_VARIANT = "fp16"


def load_pipeline(source: Path | str, device: str) -> tuple[Any, Path]:
    """The pipeline on its device, and the directory its weights came from.

    ``source`` is a directory, or a Hub id still to be downloaded. Raises: ModelUnavailable, OutOfMemory.
    """
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
    try:
        pipeline = _from_pretrained(
            directory, dtype=pipeline_dtype(device), use_safetensors=True, local_files_only=True,
            variant=variant_of_pipeline(directory), **dict.fromkeys(_left_out(directory)),
        ).to(device)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{directory.name} does not fit into the memory of {device}",
                              fix="Choose a smaller model or another device.") from error
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"this pipeline cannot be loaded: {reason}", where=str(directory)) from error
    if "prompt" not in call_parameters(pipeline):
        raise ModelUnavailable(f"{type(pipeline).__name__} draws nothing from a text alone", where=str(directory),
                               fix="Choose a text-to-image pipeline.")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, directory


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
