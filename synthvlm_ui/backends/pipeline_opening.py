"""Opens a pipeline of diffusers with the engine of its kind: masked tokens (aMUSEd) or latents (all others)."""

from __future__ import annotations

from pathlib import Path

from synthvlm_ui.backends.amused_generator import AmusedGenerator
from synthvlm_ui.backends.diffusers_generator import DiffusersGenerator
from synthvlm_ui.backends.diffusers_loading import open_directory
from synthvlm_ui.backends.generator_facts import GeneratorFacts
from synthvlm_ui.backends.model_files import PIPELINE_INDEX, read_json
from synthvlm_ui.protocols import ImageGenerator
from synthvlm_ui.records import EngineSettings


def open_pipeline(source: Path | str, *, device: str, name: str, preset: GeneratorFacts | None,
                  engine: EngineSettings | None) -> ImageGenerator:
    """``source`` is a directory, or a Hub id to be downloaded. Raises: ModelUnavailable, BadSetting, OutOfMemory."""
    directory = open_directory(source)
    if str(read_json(directory / PIPELINE_INDEX).get("_class_name", "")) == "AmusedPipeline":
        return AmusedGenerator(directory, device=device, name=name, preset=preset, engine=engine)
    return DiffusersGenerator(directory, device=device, name=name, preset=preset, engine=engine)
