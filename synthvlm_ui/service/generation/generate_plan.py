"""The plan of a generate job, from what the job was asked for: captions, prompts, settings without gaps, chunk size.

Does not draw and does not know which process asks, so that a worker of this machine and one of a cluster make the same
plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from synthvlm_ui.config import CHUNK_TARGET_S
from synthvlm_ui.generation import Plan, plan_items, resolve_settings
from synthvlm_ui.generation.plan import request_of
from synthvlm_ui.protocols import ImageGenerator
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service.captions.caption_standing import standing_of
from synthvlm_ui.service.generation.prompting import recorded_template, resolved_prompts
from synthvlm_ui.service.generation.rates import Rate, Rates, first_guess
from synthvlm_ui.store import Workspace

_CPU_BATCH = {"miniature": 16}
_GPU_BATCH = 4
_MAX_CHUNK_IMAGES = 4096


def make_plan(config: Mapping[str, Any], workspace: Workspace, generator: ImageGenerator, device: str) -> Plan:
    """Raises: EmptyInput, BadSetting, and what the generator's check of a request raises."""
    settings = resolve_settings(GenerationSettings(**config["settings"]), generator.info)
    batch_size = settings.batch_size or default_batch_size(settings.generator, device)
    # Shares of one plan must be cut alike by every process, and what each finds measured may differ.
    rate = rate_of(workspace, settings, device, measured=config.get("worker") is None)
    chunk_images = settings.chunk_images or images_per_chunk(rate.seconds, batch_size)
    captions = captions_to_draw(workspace, config)
    items = plan_items(captions, resolved_prompts(workspace, captions, settings))
    recorded = replace(settings, batch_size=batch_size,
                       prompt_template=recorded_template(settings.prompt_template, config.get("varied_prompt")))
    plan = Plan(config["dataset"], recorded, generator.info, items, chunk_images, config["created"])
    generator.check(request_of(next(plan.candidates(0))))
    return plan


def rate_of(workspace: Workspace, settings: GenerationSettings, device: str, *, measured: bool = True) -> Rate:
    """Seconds per image of settings without gaps: as measured in this workspace, or the first guess."""
    asked = (settings.generator, device, settings.num_inference_steps or 1, settings.width or 0, settings.height or 0)
    return Rates(workspace.root / "rates.json").get(*asked) if measured else first_guess(*asked)


def remember_rate(workspace: Workspace, settings: GenerationSettings, device: str, seconds_per_image: float) -> None:
    """Keeps what a run has measured for the estimates and chunk sizes of later ones."""
    Rates(workspace.root / "rates.json").put(
        settings.generator, device, settings.num_inference_steps or 1, settings.width or 0, settings.height or 0,
        seconds_per_image)


def default_batch_size(generator: str, device: str) -> int:
    return _CPU_BATCH.get(generator, 1) if device == "cpu" else _CPU_BATCH.get(generator, _GPU_BATCH)


def images_per_chunk(seconds_per_image: float, batch_size: int) -> int:
    """As many images as make about CHUNK_TARGET_S of work, in whole batches."""
    images = int(CHUNK_TARGET_S / max(seconds_per_image, 1e-4))
    return max(batch_size, min(_MAX_CHUNK_IMAGES, images) // batch_size * batch_size)


def captions_to_draw(workspace: Workspace, config: Mapping[str, Any]) -> list[Any]:
    """The captions that the job names: of a prompt, or of a dataset in its order."""
    if config.get("caption_ids"):
        return [workspace.captions.get(config["dataset"], caption_id) for caption_id in config["caption_ids"]]
    captions = workspace.captions.load(config["dataset"])
    if config.get("captions", "all") == "kept":
        standing = standing_of(workspace, config["dataset"])
        captions = [caption for caption in captions if standing.counts(caption.id)]
    return captions[:config["limit"]] if config.get("limit") else captions
