"""Full-size generators by name: where their weights are and the settings they are meant to be drawn with.

Imports no engine. Steps, size and guidance of sdxl-refiner, sd3 and flux-dev are those the papers used; the few-step
models need theirs to draw anything at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthvlm_ui.backends.generator_facts import GeneratorFacts, PipelineParts

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
_RAIL = "CreativeML Open RAIL++-M"
_STABILITY = "Stability AI Community"
_NON_COMMERCIAL = "Stability AI non-commercial"
_SDXL_SIZE = {"unet": 2.57, "text_encoder_2": 0.69, "text_encoder": 0.12, "vae": 0.08}
_SD21_SIZE = {"unet": 0.87, "text_encoder": 0.34, "vae": 0.08}
_SD3_SIZE = {"transformer": 2.03, "text_encoder_3": 4.76, "text_encoder_2": 0.69, "text_encoder": 0.12, "vae": 0.08}
_SD35_SIZE = {"transformer": 8.06, "text_encoder_3": 4.76, "text_encoder_2": 0.69, "text_encoder": 0.12, "vae": 0.08}
_FLUX_SIZE = {"transformer": 11.9, "text_encoder_2": 4.76, "text_encoder": 0.12, "vae": 0.08}
_AMUSED_SIZE = {"transformer": 0.6, "text_encoder": 0.12, "vqvae": 0.15}


def _preset(name: str, model: str, note: str, steps: int, guidance: float, side_px: int, licence: str,
            **more: Any) -> GeneratorFacts:
    return GeneratorFacts(name, model, "needs download", note, steps, guidance, side_px, licence=licence, **more)


PRESETS: dict[str, GeneratorFacts] = {
    facts.name: facts
    for facts in (
        # SynthVLM: 60 steps at 1024 px; its released configuration adds the refiner from 0.8 on and guidance 20.
        _preset("sdxl", SDXL, "as in SynthVLM; 7 GB, wants a card", 60, 5.0, 1024, _RAIL, parameters=_SDXL_SIZE),
        _preset("sdxl-lightning", SDXL, "four steps; 12 GB, wants a card", 4, 0.0, 1024, _RAIL, parameters=_SDXL_SIZE,
                parts=PipelineParts(unet="ByteDance/SDXL-Lightning:sdxl_lightning_4step_unet.safetensors",
                                    scheduler="euler-trailing")),
        _preset("sd-turbo", "stabilityai/sd-turbo", "one step; 2.6 GB, some seconds per image on a processor", 1, 0.0,
                512, _NON_COMMERCIAL, parameters=_SD21_SIZE),
        # SynthVLM's second configuration, and BetterSynth's: 60 steps, guidance 10.
        _preset("sd3", "stabilityai/stable-diffusion-3-medium-diffusers", "as in SynthVLM's repository; gated, 16 GB",
                60, 10.0, 1024, _STABILITY, parameters=_SD3_SIZE),
        # FLARE: 50 steps.
        _preset("flux-dev", "black-forest-labs/FLUX.1-dev", "as in FLARE; gated, 34 GB", 50, 3.5, 1024,
                "FLUX.1 non-commercial", parameters=_FLUX_SIZE),
        _preset("sdxl-refiner", SDXL, "SDXL with its refiner, as SynthVLM's released configuration; 12 GB", 60, 20.0,
                1024, _RAIL, parameters=_SDXL_SIZE | {"refiner": 2.3},
                parts=PipelineParts(refiner="stabilityai/stable-diffusion-xl-refiner-1.0", denoising_end=0.8)),
        _preset("sdxl-turbo", "stabilityai/sdxl-turbo", "one step; 7 GB, wants a card", 1, 0.0, 512, _NON_COMMERCIAL,
                parameters=_SDXL_SIZE),
        _preset("sdxl-lcm", SDXL, "four steps by a LoRA; 7.5 GB, wants a card", 4, 1.0, 1024, _RAIL,
                parameters=_SDXL_SIZE, parts=PipelineParts(
                    lora="latent-consistency/lcm-lora-sdxl:pytorch_lora_weights.safetensors", scheduler="lcm")),
        _preset("sd3.5-large", "stabilityai/stable-diffusion-3.5-large", "gated, 28 GB", 28, 3.5, 1024, _STABILITY,
                parameters=_SD35_SIZE),
        _preset("flux-schnell", "black-forest-labs/FLUX.1-schnell", "four steps; 34 GB", 4, 0.0, 1024, "Apache-2.0",
                parameters=_FLUX_SIZE),
        _preset("amused-256", "amused/amused-256", "tokens, as Synth2's generator; 3 GB", 12, 10.0, 256, _RAIL,
                parameters=_AMUSED_SIZE),
        _preset("amused-512", "amused/amused-512", "tokens, as Synth2's generator; 3 GB", 12, 10.0, 512, _RAIL,
                parameters=_AMUSED_SIZE),
    )
}

# --scheduler: a class of diffusers, and what is changed in the settings that the model was trained with.
SCHEDULERS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-trailing": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++-karras": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
    "ddim": ("DDIMScheduler", {}),
    "ddim-trailing": ("DDIMScheduler", {"timestep_spacing": "trailing"}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}
# Tiny decoders (TAESD) by the family of the pipeline's latents: --vae tiny.
TINY_VAES = {
    "StableDiffusionPipeline": "madebyollin/taesd",
    "StableDiffusionXLPipeline": "madebyollin/taesdxl",
    "StableDiffusion3Pipeline": "madebyollin/taesd3",
    "FluxPipeline": "madebyollin/taef1",
}
