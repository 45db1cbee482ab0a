"""The nouns that travel between rooms: frozen, plain, JSON-ready.

Knows no file, no model and no screen. Field names are the command line's JSON keys and the parquet columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["keep", "reject", "clear"]
# The generator, and the model, of a real image: a row of the store like any candidate, which no rule ever selects.
REAL = "real"
JobState = Literal["queued", "running", "paused", "stopping", "stopped", "done", "failed", "crashed"]


# Made once: an encoder per call would cost more than the hash.
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def short_hash(*parts: object) -> str:
    """16 hex digits of SHA-256 over the parts as canonical JSON: the form of every id this program makes."""
    return hashlib.sha256(_CANONICAL.encode(parts).encode("utf-8")).hexdigest()[:16]


def caption_id_of(text: str) -> str:
    """The id of a caption whose source gave none: a hash of its text, never a row number."""
    return short_hash("caption", text)


def seed_of(run_seed: int, caption_id: str, repeat: int) -> int:
    """The seed of one image in [0, 2**32): depends on nothing that batching, order or a restart could change."""
    return int(short_hash("seed", run_seed, caption_id, repeat)[:8], 16)


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption of a dataset; ``image`` names its real image inside the dataset, or is None."""

    id: str
    caption: str
    image: str | None = None
    source: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How a pipeline of diffusers is put together and where its parts lie; "auto" leaves it to the device's memory.

    ``refiner`` takes the noise over after the share ``denoising_end`` of the steps. ``vae`` is "whole", "sliced",
    "tiled", "tiny" or the directory or Hub id of a tiny decoder. ``lora`` is a file, a directory or a Hub id, with
    ``:FILE`` behind it where it has several. Those four and ``scheduler`` change the picture, the rest only how
    it is rounded.
    """

    dtype: str = "auto"
    attention: str = "auto"
    compile: bool = False
    fuse_qkv: bool = False
    vae: str = "auto"
    offload: str = "auto"
    refiner: str | None = None
    denoising_end: float | None = None
    lora: str | None = None
    scheduler: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationSettings(EngineSettings):
    """What the user asks a generator for; None means the generator's own default. Names are diffusers' own.

    With ``draft_clip_min`` a caption is drawn in ``draft_num_inference_steps`` first, and in full only when the draft's
    raw cosine reaches it; the share ``draft_audit`` of those below is drawn all the same, to see what the gate costs.
    """

    generator: str
    images_per_caption: int = 1
    seed: int = 0
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    negative_prompt: str | None = None
    prompt_template: str = "{caption}"
    batch_size: int | None = None
    chunk_images: int | None = None
    image_format: Literal["webp", "png", "jpeg"] = "webp"
    device: str = "auto"
    draft_clip_min: float | None = None
    draft_num_inference_steps: int | None = None
    draft_generator: str | None = None
    draft_audit: float = 0.05

    def engine(self) -> EngineSettings:
        """The part that says how the pipeline is put together."""
        return EngineSettings(**{name: getattr(self, name) for name in EngineSettings.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One image to draw, every default resolved. Units: width and height in px."""

    prompt: str
    seed: int
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    negative_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """What a loaded generator is and what it accepts.

    ``revision`` identifies the weights (commit or content hash). ``size_multiple_px`` divides every width and height;
    ``fixed_size`` generators draw only their native size. ``token_grid`` is (rows, columns) or None. ``engine`` says
    what was chosen for this device: number format, attention, where the parts lie.
    """

    name: str
    model: str
    revision: str
    sampler: str
    native_width_px: int
    native_height_px: int
    default_num_inference_steps: int
    default_guidance_scale: float
    size_multiple_px: int = 8
    fixed_size: bool = False
    max_prompt_tokens: int | None = None
    supports_negative_prompt: bool = True
    token_grid: tuple[int, int] | None = None
    licence: str = ""
    notes: str = ""
    engine: str = ""


@dataclass(frozen=True, slots=True)
class WriterInfo:
    """What a caption writer is. ``follows_instructions`` is False for a plain language model, which only continues a
    text; ``profile`` names the prompts and checks that its captions are written with; ``concurrency`` is how many
    requests one call works on at a time.
    """

    name: str
    model: str
    revision: str
    profile: Literal["synth2", "small-world"] = "synth2"
    follows_instructions: bool = True
    accepts_images: bool = False
    concurrency: int = 8
    licence: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One generated image of one caption and seed: the facts, which never change.

    ``status`` is "ok", "failed", or "gated" when its draft scored too low for it to be drawn; all but "ok" have a row
    without an image and say why in ``error_message``. ``engine`` is how the pixels were computed (number format, where
    the parts lay), which never enters the id; ``draft_clip_cosine`` is the score of the draft that let it through.
    """

    id: str
    dataset: str
    caption_id: str
    caption: str
    prompt_template: str
    prompt: str
    negative_prompt: str | None
    generator: str
    model: str
    revision: str
    sampler: str
    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    run_seed: int
    repeat: int
    seed: int
    created: str = ""
    status: Literal["ok", "failed", "gated"] = "ok"
    error_message: str = ""
    engine: str = ""
    draft_clip_cosine: float | None = None

    @staticmethod
    def id_of(facts: Mapping[str, Any]) -> str:
        """The id follows from what determines the pixels and whose caption it is, so re-planning finds what is done."""
        keys = ("dataset", "caption_id", "prompt", "negative_prompt", "model", "revision", "sampler",
                "num_inference_steps", "guidance_scale", "width", "height", "seed", "repeat")
        return short_hash("candidate", {key: facts[key] for key in keys})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Candidate:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})


@dataclass(frozen=True, slots=True)
class ScorerInfo:
    """Which numbers a scorer writes and everything they depend on.

    ``settings`` holds model, weights tag, prefix, precision, route ...; two scorers with equal ``key`` give comparable
    numbers, and numbers of different keys are never mixed in one column.
    """

    name: str
    columns: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{self.name}-{short_hash('scorer', self.name, dict(self.settings))[:8]}"


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """What to keep, as written by the user: resolved against columns by ``selection``; human verdicts override it.

    ``clip_scale`` and ``ssim_weight`` (lambda) define combined = clip_scale * clip_cosine + ssim_weight * ssim.
    At most one of top_k and keep_ratio. Ties are broken by candidate id. ``dataset`` is a name, several with commas, or
    "*" for all. ``near_duplicates`` is None, "phash", "embedding" or "both"; ``drop_duplicates`` means "phash".
    """

    dataset: str
    preset: str = "paper"
    clip_scale: float = 1.0
    ssim_weight: float = 0.5
    normalise: bool = False
    clip_min: float | None = None
    ssim_min: float | None = None
    combined_min: float | None = None
    where: str | None = None
    top_k: int | None = None
    keep_ratio: float | None = None
    best_per_caption: bool = False
    per_cluster: int | None = None
    drop_duplicates: bool = False
    guards: bool = True
    random: bool = False
    seed: int = 0
    verdicts: bool = True
    skip_top: int | None = None
    near_duplicates: str | None = None
    duplicate_bits: int = 8
    duplicate_cosine: float = 0.95

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Selection:
    """A named rule with the ids it resolved to, best first, and what was counted on the way."""

    name: str
    rule: SelectionRule
    candidate_ids: tuple[str, ...]
    total: int
    captions_kept: int
    created: str
    thresholds: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        return len(self.candidate_ids)


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job as everybody sees it. Units: progress in [0, 1], eta_s in seconds or None when unknown."""

    id: str
    kind: str
    state: JobState
    progress: float
    eta_s: float | None
    message: str = ""
    done: int = 0
    total: int = 0
    failed: int = 0
    device: str = "cpu"
    created: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
