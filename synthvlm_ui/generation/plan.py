"""The plan of a run: which (caption, repeat) is drawn in which chunk, fixed before the first image is made.

Does not know which chunks are done (the renamed shard says so) nor who runs them. A plan depends only on the captions,
the settings and the weights, so that two workers, a resumed job and a second machine make the same one.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from synthvlm_ui.errors import BadSetting, CorruptData, EmptyInput
from synthvlm_ui.records import (
    Candidate,
    Caption,
    GenerationRequest,
    GenerationSettings,
    GeneratorInfo,
    seed_of,
    short_hash,
)

DRAFT_STEPS = 4
# Settings that change at most the rounding of a picture.
_NOT_OF_THE_PICTURE = frozenset(
    {"batch_size", "device", "chunk_images", "dtype", "attention", "compile", "fuse_qkv", "offload"})
# Settings younger than the first workspaces: at their defaults they must not rename the shards of those.
_LATER = frozenset({"vae", "refiner", "denoising_end", "lora", "scheduler", "draft_clip_min",
                    "draft_num_inference_steps", "draft_generator", "draft_audit"})
_DEFAULTS = asdict(GenerationSettings(""))


class PlanItem(NamedTuple):  # a million of these are made at once: a tuple costs a third of a frozen dataclass
    """One image to be made: a caption, the prompt sent for it, and which of its repeats."""

    caption_id: str
    caption: str
    prompt: str
    repeat: int


@dataclass(frozen=True)
class Plan:
    """All items of a run in order, cut into chunks of ``chunk_images``; ``settings`` has no None left that matters."""

    dataset: str
    settings: GenerationSettings
    info: GeneratorInfo
    items: tuple[PlanItem, ...]
    chunk_images: int
    created: str

    @cached_property  # asked for by every chunk, and made from every item
    def run_id(self) -> str:
        """12 hex digits that name the run's shards: equal plans write the same shards."""
        settings = {name: value for name, value in asdict(self.settings).items()
                    if name not in _NOT_OF_THE_PICTURE and (name not in _LATER or value != _DEFAULTS[name])}
        digest = short_hash("items", [(i.caption_id, i.prompt, i.repeat) for i in self.items])
        return short_hash("run", self.dataset, settings, self.info.model, self.info.revision, self.info.sampler,
                          self.chunk_images, digest)[:12]

    @property
    def chunk_count(self) -> int:
        return -(-len(self.items) // self.chunk_images)

    def shard(self, chunk: int) -> str:
        return f"{self.run_id}-{chunk:06d}"

    def candidates(self, chunk: int) -> Iterator[Candidate]:
        """The candidates of one chunk with all facts but the pixels."""
        start = chunk * self.chunk_images
        for item in self.items[start:start + self.chunk_images]:
            yield self._candidate(item)

    def _candidate(self, item: PlanItem) -> Candidate:
        settings, info = self.settings, self.info
        facts: dict[str, object] = {
            "dataset": self.dataset, "caption_id": item.caption_id, "caption": item.caption, "prompt": item.prompt,
            "prompt_template": settings.prompt_template, "negative_prompt": settings.negative_prompt,
            "generator": info.name, "model": info.model, "revision": info.revision, "sampler": info.sampler,
            "num_inference_steps": settings.num_inference_steps, "guidance_scale": settings.guidance_scale,
            "width": settings.width, "height": settings.height, "run_seed": settings.seed, "repeat": item.repeat,
            "seed": seed_of(settings.seed, item.caption_id, item.repeat), "created": self.created,
        }
        return Candidate.from_json({**facts, "id": Candidate.id_of(facts)})


def request_of(candidate: Candidate) -> GenerationRequest:
    """What the engine is asked for, from the facts of a candidate."""
    return GenerationRequest(
        prompt=candidate.prompt, negative_prompt=candidate.negative_prompt, seed=candidate.seed,
        width=candidate.width, height=candidate.height, num_inference_steps=candidate.num_inference_steps,
        guidance_scale=candidate.guidance_scale)


def resolve_settings(settings: GenerationSettings, info: GeneratorInfo) -> GenerationSettings:
    """Fills every None with the generator's own default.

    Raises: BadSetting when a count is not positive.
    """
    values = asdict(settings)
    defaults = {
        "num_inference_steps": info.default_num_inference_steps, "guidance_scale": info.default_guidance_scale,
        "width": info.native_width_px, "height": info.native_height_px,
    }
    for name, default in defaults.items():
        if values[name] is None:
            values[name] = default
    for name in ("images_per_caption", "num_inference_steps"):
        if values[name] < 1:
            raise BadSetting(f"{name} is {values[name]}", where=f"--{name.replace('_', '-')}", fix="Give 1 or more.")
    if values["draft_clip_min"] is not None and values["draft_generator"] is None:
        values["draft_num_inference_steps"] = min(values["draft_num_inference_steps"] or DRAFT_STEPS,
                                                  values["num_inference_steps"])
    if not info.supports_negative_prompt:
        values["negative_prompt"] = None
    return GenerationSettings(**values)


def plan_items(captions: Sequence[Caption], prompts: Sequence[Sequence[str]]) -> tuple[PlanItem, ...]:
    """Caption-major order, so that one text encoding serves all repeats of a caption.

    Shapes: captions and prompts have equal length; each caption has one prompt per repeat. Raises: EmptyInput without
    captions.
    """
    if not captions:
        raise EmptyInput("there are no captions to draw", fix="Import captions first, or type a prompt.")
    with _no_collection():
        return tuple(
            PlanItem(caption.id, caption.caption, prompt, repeat)
            for caption, several in zip(captions, prompts, strict=True)
            for repeat, prompt in enumerate(several))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps Python from looking for cycles, again and again, among a million new items that hold none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def save_plan(plan: Plan, directory: Path) -> None:
    """Writes plan.json and plan.parquet; the json, written last, marks the plan as complete."""
    table = pa.table(dict(zip(PlanItem._fields, map(list, zip(*plan.items, strict=True)), strict=True)))
    pq.write_table(table, directory / "plan.parquet", compression="zstd")
    head = {"dataset": plan.dataset, "settings": asdict(plan.settings), "info": asdict(plan.info),
            "chunk_images": plan.chunk_images, "created": plan.created, "items": len(plan.items)}
    partial = directory / "plan.json.tmp"
    partial.write_text(json.dumps(head), encoding="utf-8")
    os.replace(partial, directory / "plan.json")


def load_plan(directory: Path) -> Plan | None:
    """The plan saved in a job directory, or None when planning had not finished.

    Raises: CorruptData when it does not read back.
    """
    if not (directory / "plan.json").exists():
        return None
    try:
        head = json.loads((directory / "plan.json").read_text(encoding="utf-8"))
        table = pq.read_table(directory / "plan.parquet", columns=list(PlanItem._fields))
        with _no_collection():
            items = tuple(map(PlanItem, *(column.to_pylist() for column in table.columns)))
        info = {**head["info"], "token_grid": tuple(head["info"]["token_grid"]) if head["info"]["token_grid"] else None}
        return Plan(head["dataset"], GenerationSettings(**head["settings"]), GeneratorInfo(**info),
                    items, head["chunk_images"], head["created"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptData("the job's plan does not read back", where=str(directory),
                          fix="Start the same generation anew; finished chunks are kept.") from error
