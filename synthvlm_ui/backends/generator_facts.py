"""What is known of a generator before it is loaded: enough to fill a form, check a request and estimate its cost.

Read from a preset or from a pipeline's own config files; imports no engine. Only a loaded generator's GeneratorInfo is
exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from synthvlm_ui.backends.model_files import (
    PIPELINE_INDEX,
    cached_snapshot,
    looks_like_hub_id,
    read_json,
)
from synthvlm_ui.config import MINIATURE

Status = Literal["ready", "needs download", "missing extra"]
MAX_SIDE_PX = 4096
_DEFAULT_STEPS = {"StableDiffusion3": 28, "Flux": 28, "PixArt": 20, "Sana": 20, "Amused": 12}


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """What is put into a pipeline beyond what its directory holds; see records.EngineSettings.

    ``unet`` and ``lora`` are files as "org/name:FILE" or on this machine.
    """

    refiner: str = ""
    denoising_end: float = 0.8
    unet: str = ""
    lora: str = ""
    scheduler: str = ""
    tiny_vae: str = ""


@dataclass(frozen=True, slots=True)
class GeneratorFacts:
    """Units: sides in px, ``parameters`` of each part in thousands of millions, where they are known beforehand.

    ``status`` says whether the weights are here; ``note`` what the user should know first.
    """

    name: str
    model: str
    status: Status
    note: str
    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    native_px: int = 512
    min_px: int = 8
    max_px: int = MAX_SIDE_PX
    multiple_px: int = 8
    licence: str = ""
    parts: PipelineParts = PipelineParts()
    parameters: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_custom(cls, name: str) -> GeneratorFacts:
        """Facts of a Hub id or local directory, from its config files where they are on this machine.

        Never fails: whether the thing can be had is what ``registry.require_generator`` answers.
        """
        directory = cached_snapshot(name, PIPELINE_INDEX) if looks_like_hub_id(name) else Path(name).expanduser()
        if directory is None:
            return cls(name, name, "needs download", "a model of the Hugging Face Hub")
        if has_vq_layout(directory):
            return vq_facts(name, directory)
        return pipeline_facts(name, directory)


def has_vq_layout(directory: Path) -> bool:
    """Whether this directory holds a VQ token generator: language model, tokenizer and masked-token transformer."""
    return all((directory / part / "config.json").is_file() for part in ("lm", "vq", "generator"))


def vq_facts(name: str, directory: Path) -> GeneratorFacts:
    """Facts of a VQ token generator, which draws one size only."""
    side = int(read_json(directory / "vq" / "config.json").get("side", 64))
    note = f"small world: {side} px scenes of the words it knows" if directory == MINIATURE else f"{side} px, VQ tokens"
    return GeneratorFacts(
        name=name, model=directory.name, status="ready" if has_vq_layout(directory) else "needs download",
        note=note,
        num_inference_steps=8, guidance_scale=3.0, native_px=side, min_px=side, max_px=side, multiple_px=side,
        licence="Apache-2.0" if directory == MINIATURE else "",
    )


def pipeline_facts(name: str, directory: Path) -> GeneratorFacts:
    """Facts of a diffusers pipeline directory."""
    kind = str(read_json(directory / PIPELINE_INDEX).get("_class_name", ""))
    vae = read_json(directory / "vae" / "config.json") or read_json(directory / "vqvae" / "config.json")
    denoiser = read_json(directory / "transformer" / "config.json") or read_json(directory / "unet" / "config.json")
    scale = _vae_scale(vae)
    patch = 2 if kind.startswith("Flux") else denoiser.get("patch_size", 1)
    multiple = scale * (patch if isinstance(patch, int) else 1)
    sample = denoiser.get("sample_size") or (128 if kind.startswith("Flux") else 64)
    if isinstance(sample, list):
        sample = sample[0]
    steps = next((steps for start, steps in _DEFAULT_STEPS.items() if kind.startswith(start)), 50)
    return GeneratorFacts(name, name, "ready", kind or "not a pipeline", num_inference_steps=steps,
                          native_px=int(sample) * scale, min_px=multiple, multiple_px=multiple)


def _vae_scale(config: dict[str, Any]) -> int:
    """Pixels per latent along a side; diffusers' own rule."""
    levels = config.get("block_out_channels") or config.get("encoder_block_out_channels")
    return int(2 ** (len(levels) - 1)) if levels else 8
