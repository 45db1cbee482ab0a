"""Generation as the user asks for it: what there is to choose, what it will cost, and starting it.

Checks everything that can be checked without loading a model, so that a mistake is answered at once and leaves nothing
behind. Never imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from synthvlm_ui.backends import (
    GeneratorFacts,
    check_engine,
    list_generators,
    require_embedder,
    require_generator,
    require_scorer,
)
from synthvlm_ui.captions import check_template
from synthvlm_ui.config import DEFAULT_GENERATOR, DEFAULT_SCORERS, MAX_CAPTION_CHARACTERS, MIN_FREE_BYTES
from synthvlm_ui.errors import BadSetting, CaptionTooLong, EmptyInput, UnknownName
from synthvlm_ui.records import EngineSettings, GenerationSettings
from synthvlm_ui.scoring import OPEN_SCORERS, parse_scorers
from synthvlm_ui.service.captions.caption_desk import SAMPLE_DATASET, CaptionDesk, prompt_caption
from synthvlm_ui.service.captions.caption_standing import standing_of
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.generation.generator_fit import fit_of, memory_here
from synthvlm_ui.service.generation.placement import Placement, executors_here, slurm_script
from synthvlm_ui.service.generation.prompting import VARIATIONS, drawn_prompts, preview_prompts, prompt_of, wildcards_of
from synthvlm_ui.service.generation.rates import Rates, bytes_per_image
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

PROMPTS_DATASET = "prompts"
# Which captions of a curated dataset are drawn.
KEPT, ALL = "kept", "all"
DEMO_IMAGES_PER_CAPTION = 3
_MAX_SIDE_PX = 4096
_MAX_IMAGES_PER_CAPTION = 10_000
_HERE = Placement()


class GenerationDesk:
    """``studio.generation``."""

    def __init__(self, workspace: Workspace, captions: CaptionDesk, jobs: JobDesk) -> None:
        self._workspace, self._captions, self._jobs = workspace, captions, jobs

    def generators(self) -> list[dict[str, Any]]:
        """Everything that can draw, with what it is best at and whether it is ready."""
        memory = memory_here()
        return [{**asdict(facts), "engine": fit_of(facts, memory)} for facts in list_generators()]

    def executors(self) -> list[dict[str, Any]]:
        """The ways to run that the page offers, each with whether it can start here."""
        return executors_here()

    def estimate(self, settings: GenerationSettings, *, dataset: str | None = None, prompt: str | None = None,
                 limit: int | None = None, captions: str = KEPT) -> dict[str, Any]:
        """Images, seconds and bytes of a run, before it starts; ``measured`` is False for a first guess."""
        facts = self._check(settings)
        drawn, left_out = ((len(drawn_prompts(self._workspace, prompt, limit, settings.seed)), 0) if prompt is not None
                           else self._caption_count(dataset, limit, captions))
        images = drawn * settings.images_per_caption
        steps, width, height = (settings.num_inference_steps or facts.num_inference_steps,
                                settings.width or facts.native_px, settings.height or facts.native_px)
        rate = Rates(self._workspace.root / "rates.json").get(
            settings.generator, resolve_device(settings.device), steps, width, height)
        size, free = images * bytes_per_image(width, height, settings.image_format), self._workspace.free_bytes()
        return {"images": images, "seconds": images * rate.seconds, "bytes": size, "free_bytes": free,
                "fits": size + MIN_FREE_BYTES <= free, "measured": rate.measured, "captions": drawn,
                "left_out": left_out}

    def start(self, settings: GenerationSettings, *, dataset: str | None = None, prompt: str | None = None,
              scorers: Sequence[str] = DEFAULT_SCORERS, clip_model: str = DEFAULT_GENERATOR, limit: int | None = None,
              placement: Placement = _HERE, captions: str = KEPT) -> str:
        """Queues the run and returns its job id. Raises: UnknownName, BadSetting, ModelUnavailable, EmptyInput."""
        self._check(settings)
        check_scorers(scorers, clip_model)
        placement.check()
        if (dataset is None) == (prompt is None):
            raise BadSetting("give a dataset or a prompt, and not both", where="--dataset, --prompt")
        if prompt is not None and len(prompt) > MAX_CAPTION_CHARACTERS:
            raise CaptionTooLong(f"the prompt has {len(prompt)} characters", where="--prompt",
                                 fix=f"Give at most {MAX_CAPTION_CHARACTERS}.")
        if dataset is not None:
            drawn, left_out = self._caption_count(dataset, limit, captions)
            if not drawn and left_out:
                raise EmptyInput(f"the curation of {dataset!r} kept no caption",
                                 fix="Loosen its rules, or draw all captions (--captions all).")
            if not drawn:
                raise EmptyInput(f"dataset {dataset!r} has no captions", fix="Import captions first.")
        self._check_drafts(settings, scorers)
        require_generator(settings.generator)
        config: dict[str, Any] = {
            "dataset": dataset or PROMPTS_DATASET, "settings": asdict(settings), "scorers": list(scorers),
            "clip_model": clip_model, "limit": limit, "captions": captions, **placement.config(),
            "created": datetime.now(UTC).isoformat(timespec="seconds")}
        if prompt is not None:
            texts = drawn_prompts(self._workspace, prompt, limit, settings.seed)
            config["caption_ids"] = [prompt_caption(self._workspace, text, PROMPTS_DATASET) for text in texts]
            config["varied_prompt"] = prompt if texts != [prompt] else None
        return self._jobs.submit("generate", config, placement.queue(resolve_device(settings.device)))

    def preview_prompts(self, settings: GenerationSettings, *, dataset: str | None = None, prompt: str | None = None,
                        limit: int | None = None, captions: str = KEPT) -> dict[str, Any]:
        """{"varies", "prompts"}: the first prompts as they would be sent. Raises: BadSetting, UnknownName."""
        return preview_prompts(self._workspace, settings, prompt=prompt, dataset=dataset, limit=limit)

    def start_demo(self) -> str:
        """The sample captions, three images each, with the embedded generator."""
        if SAMPLE_DATASET not in self._captions.datasets():
            self._captions.load_sample()
        settings = GenerationSettings(generator=DEFAULT_GENERATOR, images_per_caption=DEMO_IMAGES_PER_CAPTION)
        return self.start(settings, dataset=SAMPLE_DATASET)

    def command(self, settings: GenerationSettings, *, dataset: str | None = None, prompt: str | None = None,
                limit: int | None = None, captions: str = KEPT, placement: Placement = _HERE) -> str:
        return command_line(self._workspace.root, self._words(settings, dataset, prompt, limit, captions)
                            + placement.words())

    def slurm(self, settings: GenerationSettings, tasks: int, *, scorers: Sequence[str] = DEFAULT_SCORERS,
              clip_model: str = DEFAULT_GENERATOR, **source: Any) -> str:
        """The script that draws the same as an array of ``tasks`` shares. Raises: BadSetting, UnknownName."""
        self._check(settings)
        words = self._words(replace(settings, device="auto"), source.get("dataset"), source.get("prompt"),
                            source.get("limit"), source.get("captions", KEPT))
        words += ["--scorers", ",".join(scorers) or "none"] if tuple(scorers) != DEFAULT_SCORERS else []
        words += ["--clip-model", clip_model] if clip_model != DEFAULT_GENERATOR else []
        program = ["python", "-m", "synthvlm_ui", "--workspace", str(self._workspace.root.resolve())]
        return slurm_script([*program, *words], tasks, settings.device)

    def slurm_command(self, settings: GenerationSettings, tasks: int, *, dataset: str | None = None,
                      prompt: str | None = None, limit: int | None = None, captions: str = KEPT) -> str:
        """The one line that hands ``slurm``'s script to Slurm."""
        words = self._words(settings, dataset, prompt, limit, captions)
        return command_line(self._workspace.root.resolve(), [*words, "--show-slurm", str(tasks)]) + " | sbatch"

    def _words(self, settings: GenerationSettings, dataset: str | None, prompt: str | None, limit: int | None,
               captions: str) -> list[str]:
        words = ["generate"]
        words += ["--prompt", prompt] if prompt is not None else ["--dataset", dataset or "NAME"]
        defaults = asdict(GenerationSettings(generator=""))
        chosen = asdict(settings)
        engine = EngineSettings.__dataclass_fields__
        for name, value in sorted(chosen.items(), key=lambda one: one[0] in engine):  # what is drawn, then how
            if value is not None and value != defaults[name]:
                words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        limited = limit and (prompt is None or (limit != VARIATIONS and prompt_of(self._workspace, prompt).varies))
        words += ["--limit", str(limit)] if limited else []
        return words + (["--captions", captions] if captions != KEPT and dataset else [])

    def _caption_count(self, dataset: str | None, limit: int | None, captions: str) -> tuple[int, int]:
        """How many captions are drawn, and how many the dataset's curation leaves out."""
        if captions not in (KEPT, ALL):
            raise BadSetting(f"captions is {captions!r}", where="--captions", fix=f"Give {KEPT} or {ALL}.")
        if dataset is None or dataset not in self._workspace.captions.datasets():
            raise UnknownName.of("dataset", dataset or "", self._workspace.captions.datasets())
        if limit is not None and limit < 1:
            raise BadSetting(f"limit is {limit}", where="--limit", fix="Give 1 or more.")
        total = self._workspace.captions.count(dataset)
        kept = standing_of(self._workspace, dataset).kept if captions == KEPT else total
        return kept if limit is None else min(limit, kept), total - kept

    def _check_drafts(self, settings: GenerationSettings, scorers: Sequence[str]) -> None:
        if settings.draft_clip_min is None:
            return
        if "clip" not in scorers:
            raise BadSetting("drafts are judged by CLIP, and the clip scorer is left out", where="--draft-clip-min",
                             fix="Add clip to --scorers.")
        if not -1 <= settings.draft_clip_min <= 1:
            raise BadSetting(f"draft_clip_min is {settings.draft_clip_min}", where="--draft-clip-min",
                             fix="Give a raw cosine, from -1 to 1.")
        if not 0 <= settings.draft_audit <= 1:
            raise BadSetting(f"draft_audit is {settings.draft_audit}", where="--draft-audit",
                             fix="Give a share, from 0 to 1.")
        if settings.draft_generator is not None:
            require_generator(settings.draft_generator)

    def _check(self, settings: GenerationSettings) -> GeneratorFacts:
        facts = next((f for f in list_generators() if f.name == settings.generator), None)
        facts = facts or GeneratorFacts.of_custom(settings.generator)
        check_engine(settings)
        for name in ("images_per_caption", "num_inference_steps", "batch_size", "chunk_images",
                     "draft_num_inference_steps"):
            value = getattr(settings, name)
            if value is not None and not 1 <= value <= _MAX_IMAGES_PER_CAPTION:
                raise BadSetting(f"{name} is {value}", where=f"--{name.replace('_', '-')}",
                                 fix=f"Give a whole number from 1 to {_MAX_IMAGES_PER_CAPTION}.")
        if settings.guidance_scale is not None and not (
                math.isfinite(settings.guidance_scale) and 0 <= settings.guidance_scale <= 100):
            raise BadSetting(f"guidance_scale is {settings.guidance_scale}", where="--guidance-scale",
                             fix="Give a number from 0 to 100.")
        for name, side in (("width", settings.width), ("height", settings.height)):
            _check_side(name, side, facts)
        check_template(settings.prompt_template, wildcards_of(self._workspace))
        return facts


def check_scorers(scorers: Sequence[str], clip_model: str) -> None:
    """Raises: UnknownName, ModelUnavailable, before anything is queued."""
    for name in parse_scorers(scorers):
        if name == "clip":
            require_embedder(clip_model)
        elif name.partition(":")[0] in OPEN_SCORERS and not name.startswith("head:"):
            require_scorer(name)


def _check_side(name: str, side: int | None, facts: GeneratorFacts) -> None:
    if side is None:
        return
    if facts.min_px == facts.max_px and side != facts.native_px:
        raise BadSetting(f"{name} is {side}, and {facts.name} draws {facts.native_px} px only", where=f"--{name}",
                         fix=f"Leave it out or give {facts.native_px}.")
    multiple = facts.multiple_px
    if side % multiple:
        below, above = side // multiple * multiple, (side // multiple + 1) * multiple
        raise BadSetting(f"{name} is {side}, which is not a multiple of {multiple}", where=f"--{name}",
                         fix=f"Give {below or above} or {above}.")
    if not facts.min_px <= side <= min(facts.max_px, _MAX_SIDE_PX):
        raise BadSetting(f"{name} is {side}", where=f"--{name}",
                         fix=f"{facts.name} draws {facts.min_px} to {min(facts.max_px, _MAX_SIDE_PX)} px.")
