"""Texts into a pipeline and pictures out of it, for the families whose two ends are known: SD, SDXL, SD3, FLUX.

Their prompts are encoded apart from drawing, and their latents decoded apart from it, by the arithmetic of diffusers'
own pipelines in the same order. Any other pipeline draws from the prompt to the picture in one call.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_FULL = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
# What encode_prompt returns, in order, under the names that a call takes.
_ENCODED: Mapping[str, tuple[str, ...]] = {
    "StableDiffusionPipeline": ("prompt_embeds", "negative_prompt_embeds"),
    "StableDiffusionXLPipeline": _FULL,
    "StableDiffusionXLImg2ImgPipeline": _FULL,
    "StableDiffusion3Pipeline": _FULL,
    "FluxPipeline": ("prompt_embeds", "pooled_prompt_embeds"),
}

Embeddings = dict[str, "torch.Tensor"]


def is_known(pipeline: Any) -> bool:
    """Whether both ends of this pipeline are known here."""
    return type(pipeline).__name__ in _ENCODED


def is_guided(pipeline: Any, guidance_scale: float) -> bool:
    """Whether the pipeline runs its denoiser on an empty or negative prompt as well."""
    config = getattr(getattr(pipeline, "unet", None), "config", None)
    return guidance_scale > 1 and getattr(config, "time_cond_proj_dim", None) is None


def encode_prompts(pipeline: Any, prompts: Sequence[str], negatives: Sequence[str] | None,
                   guided: bool) -> list[Embeddings]:
    """One set of embeddings per prompt, each tensor with a leading 1, as ``stacked`` puts them together again."""
    wanted: dict[str, Any] = {
        "prompt": list(prompts), "prompt_2": None, "prompt_3": None, "device": pipeline._execution_device,
        "num_images_per_prompt": 1, "do_classifier_free_guidance": guided,
        "negative_prompt": list(negatives) if negatives is not None else None,
    }
    accepted = inspect.signature(pipeline.encode_prompt).parameters
    encoded = pipeline.encode_prompt(**{name: value for name, value in wanted.items() if name in accepted})
    named = dict(zip(_ENCODED[type(pipeline).__name__], encoded, strict=False))
    return [{name: value[index:index + 1] for name, value in named.items() if value is not None}
            for index in range(len(prompts))]


def stacked(several: Sequence[Embeddings]) -> dict[str, torch.Tensor]:
    """The arguments of one call from the embeddings of its prompts."""
    import torch

    return {name: torch.cat([one[name] for one in several]) for name in several[0]}


def decode_latents(pipeline: Any, latents: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, list[bool]]:
    """Pictures (N, 3, height, width) in [0, 1] float32 and which of them a safety checker blacked out."""
    vae = pipeline.vae
    if latents.ndim == 3:  # FLUX packs 2 x 2 latents into one token
        latents = pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)
    if vae.dtype != latents.dtype:
        latents = latents.to(vae.dtype)
    image = vae.decode(_unscaled(vae.config, latents), return_dict=False)[0]
    flagged = [False] * len(image)
    if getattr(pipeline, "safety_checker", None) is not None:
        image, found = pipeline.run_safety_checker(image, image.device, image.dtype)
        flagged = [bool(flag) for flag in found or flagged]
    return (image.float() / 2 + 0.5).clamp(0, 1), flagged


def _unscaled(config: Any, latents: torch.Tensor) -> torch.Tensor:
    import torch

    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and std is not None:
        shape = (1, len(mean), 1, 1)
        per_channel = [torch.tensor(values).view(shape).to(latents.device, latents.dtype) for values in (mean, std)]
        return latents * per_channel[1] / config.scaling_factor + per_channel[0]
    shift = getattr(config, "shift_factor", None)
    latents = latents / config.scaling_factor
    return latents + shift if shift else latents
