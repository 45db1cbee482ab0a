"""Training as the user asks for it: what there is to choose, what can be checked beforehand, and starting it.

Never imports torch: memory and device are looked at by the worker before it writes anything.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from synthvlm_ui.backends import require_embedder, require_weights
from synthvlm_ui.config import DEFAULT_GENERATOR, MIN_FREE_BYTES, MINIATURE
from synthvlm_ui.errors import BadSetting, DiskFull
from synthvlm_ui.jobs import free_bytes_at
from synthvlm_ui.service.caption_desk import command_line
from synthvlm_ui.service.devices import resolve_device
from synthvlm_ui.service.job_desk import JobDesk
from synthvlm_ui.service.train_job import VGG
from synthvlm_ui.service.training_pairs import open_conversations, open_sources
from synthvlm_ui.store import Workspace
from synthvlm_ui.training import PRESETS, RECIPES, RunDirectory, TrainRequest, configurations

_PARTS = ("vq", "lm", "generator", "vlm")


@dataclass(frozen=True)
class TrainingSettings:
    """What the user asks for. ``selections`` and ``real`` are NAME or NAME:WEIGHT; None is the preset's own."""

    recipe: str
    out: str
    selections: tuple[str, ...] = ()
    real: tuple[str, ...] = ()
    data: str | None = None
    images: str | None = None
    init_from: str | None = None
    configuration: str | None = None
    language: str | None = None
    perceptual: str = DEFAULT_GENERATOR
    max_steps: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0
    device: str = "auto"
    resume: bool = False
    on_the_fly: bool = False
    vision_tower: str | None = None


# The option of each setting where its name differs.
_OPTIONS = {"selections": "selection", "configuration": "config", "language": "language-model"}


class TrainingDesk:
    """``studio.training``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def recipes(self) -> dict[str, Any]:
        """Every recipe with its named sizes and what they do by default."""
        return {"recipes": [{"name": recipe, "configurations": [
            {"name": name, **asdict(PRESETS[recipe, name])} for name in configurations(recipe)]} for recipe in RECIPES]}

    @staticmethod
    def settings(**fields: Any) -> TrainingSettings:
        """Settings from named values: for callers that know no room."""
        return TrainingSettings(**fields)

    def start(self, settings: TrainingSettings) -> str:
        """Queues the training and returns its job id.

        Raises: UnknownName, BadSetting, EmptyInput, UnreadableFile, ModelUnavailable, DiskFull, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        settings = _absolute(settings)
        plan = self.check(settings)
        config = {**asdict(settings), "command": self.command(settings), "pairs": plan["pairs"]}
        return self._jobs.submit("train", config, resolve_device(settings.device))

    def check(self, settings: TrainingSettings) -> dict[str, Any]:
        """Everything that can be known before a model is opened: {pairs, steps, batch_size, learning_rate, epochs}.

        Raises: as ``start``.
        """
        settings = _absolute(settings)
        llava = settings.recipe.startswith("llava")
        request = TrainRequest(
            recipe=settings.recipe, out=Path(settings.out), sources=(), parts=MINIATURE,
            configuration=settings.configuration, init_from=None if llava else _init_from(settings),
            steps=settings.max_steps, learning_rate=settings.learning_rate, batch_size=settings.batch_size,
            on_the_fly=settings.on_the_fly)
        if llava:
            _check_llava(settings)
            pairs = len(open_conversations(self._workspace, asdict(settings)))
        else:
            pairs = sum(len(source.pairs) for source in open_sources(self._workspace, asdict(settings)))
        self._check_out(settings)
        if settings.language:
            require_weights(settings.language, "config.json")
        if settings.recipe == "synth2-vq" and settings.perceptual != "none":
            if settings.perceptual.startswith(VGG):
                require_weights(settings.perceptual.removeprefix(VGG), "model.safetensors")
            else:
                require_embedder(settings.perceptual)
        preset = request.preset()
        steps = preset.steps or math.ceil(pairs / preset.batch_size)
        return {"pairs": pairs, "steps": steps, "batch_size": preset.batch_size,
                "learning_rate": preset.learning_rate, "epochs": steps * preset.batch_size / pairs,
                "configuration": request.configuration_name()}

    def metrics(self, job_id: str, after_step: int = 0) -> dict[str, Any]:
        """The rows of a training after a step, each step once, though a run that was killed repeats some.

        Raises: UnknownName.
        """
        rows = {int(row["step"]): row for row in self._jobs.metrics(job_id) if row.get("step", 0) > after_step}
        return {"rows": [rows[step] for step in sorted(rows)]}

    def run_here(self, settings: TrainingSettings, watcher: Any) -> dict[str, Any]:
        """Trains in this process instead of a job: under accelerate or torchrun, one of several; or a Slurm step.

        Returns {checkpoint, final_loss, steps}. Raises: as ``start``.
        """
        from synthvlm_ui.service.train_job import carry_out

        settings = _absolute(settings)
        processes, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if processes > 1 and not settings.recipe.startswith("llava"):
            raise BadSetting(f"{settings.recipe} trains in one process", where="--here",
                             fix="Start it without accelerate or torchrun.")
        if rank == 0:  # its folder would be seen by the others, which come a moment later
            self.check(settings)
        config = {**asdict(settings), "command": self.command(settings), "resume": settings.resume or processes > 1}
        return carry_out(config, self._workspace, watcher, settings.device)

    def launch_command(self, settings: TrainingSettings, processes: int) -> str:
        """The line that trains on several cards of this machine."""
        own = self.command(settings).removeprefix("python ")
        return f"accelerate launch --num_processes {processes} {own} --here"

    def command(self, settings: TrainingSettings) -> str:
        words = ["train"]
        defaults = TrainingSettings(recipe="", out="")
        for name, value in asdict(settings).items():
            if value == getattr(defaults, name):
                continue
            option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
            if isinstance(value, tuple | list):
                words += [word for each in value for word in (option, each)]
            else:
                words += [option] if value is True else [option, str(value)]
        return command_line(self._workspace.root, words)

    def _check_out(self, settings: TrainingSettings) -> None:
        out = Path(settings.out)
        if out.exists() and not out.is_dir():
            raise BadSetting("the output directory is a file", where=settings.out, fix="Give a directory.")
        there = RunDirectory(out).settings()
        if there and not settings.resume:
            raise BadSetting("there is a training in this directory already", where=settings.out,
                             fix="Give --resume to go on with it, or another --out.")
        if settings.resume and not there:
            raise BadSetting("there is no training to go on with", where=settings.out, fix="Leave --resume out.")
        place = out
        while not place.exists():
            place = place.parent
        if not os.access(place, os.W_OK):
            raise BadSetting("the output directory cannot be written to", where=settings.out, fix="Give another --out.")
        if free_bytes_at(out) < MIN_FREE_BYTES:
            raise DiskFull("too little room for checkpoints", where=settings.out, fix="Free some space.")


def _check_llava(settings: TrainingSettings) -> None:
    """Raises: BadSetting, ModelUnavailable."""
    if not settings.init_from:
        raise BadSetting("there is no model to start from", where="--init-from",
                         fix="Give a LLaVA model, or a language model with --vision-tower.")
    require_weights(settings.init_from, "config.json")
    if settings.vision_tower:
        require_weights(settings.vision_tower, "config.json")


def _init_from(settings: TrainingSettings) -> Path | None:
    """Raises: BadSetting when the directory has no part that this recipe could start from."""
    if not settings.init_from:
        return None
    path = Path(settings.init_from)
    if not any((path / part / "config.json").is_file() for part in _PARTS):
        raise BadSetting("there is nothing to start from", where=f"--init-from {settings.init_from}",
                         fix=f"Give a directory that holds {', '.join(_PARTS[:-1])} or {_PARTS[-1]}.")
    return path


def _absolute(settings: TrainingSettings) -> TrainingSettings:
    """The same with paths that do not depend on where the worker stands."""
    if not settings.out:
        raise BadSetting("there is no output directory", where="--out", fix="Give one.")
    paths: Mapping[str, str | None] = {name: getattr(settings, name) for name in ("out", "data", "images")}
    whole: dict[str, Any] = {name: str(Path(value).expanduser().absolute()) for name, value in paths.items() if value}
    for name in ("init_from", "language", "vision_tower"):  # which may be ids of the Hub
        value = getattr(settings, name)
        if value and Path(value).expanduser().is_dir():
            whole[name] = str(Path(value).expanduser().absolute())
    return replace(settings, **whole)
