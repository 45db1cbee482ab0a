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
from synthvlm_ui.errors import BadSetting, DiskFull, SynthVLMError
from synthvlm_ui.jobs import free_bytes_at
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.machine.devices import cards, devices, resolve_device
from synthvlm_ui.service.machine.hosting import check_training
from synthvlm_ui.service.training.preflight import (
    Check,
    device_check,
    disk_check,
    look,
    memory_check,
    room_of,
    sampled_pictures,
)
from synthvlm_ui.service.training.train_job import VGG
from synthvlm_ui.service.training.training_pairs import facts_of, open_conversations, open_sources
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace, checked_name
from synthvlm_ui.training import (
    PRESETS,
    RECIPES,
    TRACKERS,
    RunDirectory,
    TrainRequest,
    configurations,
    require_tracker,
)

_PARTS = ("vq", "lm", "generator", "vlm")


@dataclass(frozen=True)
class TrainingSettings:
    """What the user asks for. ``selections`` and ``real`` are NAME or NAME:WEIGHT; None is the preset's own.

    ``split`` keeps real images of these splits only (commas between them), as a Karpathy file names them; ``log_to`` is
    tensorboard or trackio beside the job's own metrics.
    """

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
    split: str | None = None
    log_to: str | None = None


# The option of each setting where its name differs.
_OPTIONS = {"selections": "selection", "configuration": "config", "language": "language-model"}


class TrainingDesk:
    """``studio.training``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def recipes(self) -> dict[str, Any]:
        """Every recipe with its named sizes and what they do by default, and the devices there are."""
        return {"recipes": [{"name": recipe, "configurations": [
            {"name": name, **asdict(PRESETS[recipe, name])} for name in configurations(recipe)]} for recipe in RECIPES],
            "devices": devices(), "trackers": list(TRACKERS)}

    @staticmethod
    def settings(**fields: Any) -> TrainingSettings:
        """Settings from named values: for callers that know no room."""
        return TrainingSettings(**fields)

    def out_of(self, given: str) -> str:
        """An output directory as a form names it: a path, or a name below the workspace's folder ``models``."""
        if not given or Path(given).expanduser().is_absolute():
            return given
        return str(self._workspace.paths.models / checked_name("model", given))

    def start(self, settings: TrainingSettings) -> str:
        """Queues the training and returns its job id.

        Raises: UnknownName, BadSetting, EmptyInput, UnreadableFile, ModelUnavailable, DiskFull, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        settings = _absolute(settings)
        check_training(self.command(settings))
        plan = self.check(settings)
        config = {**asdict(settings), "command": self.command(settings), "pairs": plan["pairs"],
                  "steps": plan["steps"], "configuration_name": plan["configuration"],
                  "sources": facts_of(self._workspace, asdict(settings))}
        return self._jobs.submit("train", config, resolve_device(settings.device))

    def check(self, settings: TrainingSettings) -> dict[str, Any]:
        """Everything that can be known before a model is opened: {pairs, steps, batch_size, learning_rate, epochs}.

        Raises: as ``start``.
        """
        settings = _absolute(settings)
        request = _request(settings)
        _check_model(settings)
        plan = self._plan(request, self._data(settings))
        self._check_out(settings)
        if free_bytes_at(Path(settings.out)) < MIN_FREE_BYTES:
            raise DiskFull("too little room for checkpoints", where=settings.out, fix="Free some space.")
        if settings.log_to is not None:
            require_tracker(settings.log_to)
        return plan

    def preflight(self, settings: TrainingSettings) -> dict[str, Any]:
        """Everything that could go wrong, looked at side by side: {ok, checks, plan, command, launch_command}.

        ``checks`` are {name, state, text, fix}; nothing is raised for what a user can mend, and nothing is written.
        """
        checks: list[Check] = []
        plan = None
        try:
            settings = _absolute(settings)
            request = _request(settings)
        except SynthVLMError as error:
            raised = error
            return {"ok": False, "checks": [look("settings", lambda: _raise(raised)).to_json()], "plan": None,
                    "command": self.command(settings), "launch_command": None}
        device, jobs = resolve_device(settings.device), self._jobs.list()["jobs"]
        checks.append(look("model", lambda: _check_model(settings)))
        data: list[Any] = []
        checks.append(look("data", lambda: self._looked_at(settings, request, data)))
        if data:
            plan = self._plan(request, data[0])
        checks.append(look("directory", lambda: self._check_out(settings)))
        room = room_of(settings, request.configuration_name(), request.preset(),
                                 on_card=device.startswith("cuda"))
        checks.append(look("disk", lambda: disk_check(Path(settings.out), room)))
        checks.append(look("memory", lambda: memory_check(device, room)))
        checks.append(look("device", lambda: device_check(device, jobs)))
        if settings.log_to is not None:
            checks.append(look("tracker", lambda: require_tracker(str(settings.log_to))))
        several = self.launch_command(settings, max(2, len(cards()))) if settings.recipe.startswith("llava") else None
        return {"ok": all(check.state != "failed" for check in checks), "checks": [one.to_json() for one in checks],
                "plan": plan, "command": self.command(settings), "launch_command": several}

    def _data(self, settings: TrainingSettings) -> Any:
        if settings.recipe.startswith("llava"):
            return open_conversations(self._workspace, asdict(settings))
        return open_sources(self._workspace, asdict(settings))

    def _looked_at(self, settings: TrainingSettings, request: TrainRequest, found: list[Any]) -> Check | str:
        data = self._data(settings)
        if settings.recipe.startswith("llava"):
            count, read = len(data), data.image
            broken = sampled_pictures(read, count)
        else:
            count = sum(len(source.pairs) for source in data)
            looked = (sampled_pictures(source.pairs.image, len(source.pairs)) for source in data)
            broken = next((one for one in looked if one is not None), None)
        if broken is not None:
            return broken
        found.append(data)
        plan = self._plan(request, data)
        return (f"{count:,} pairs, {plan['steps']:,} steps of {plan['batch_size']}: {plan['epochs']:.3g} rounds; "
                "samples open")

    @staticmethod
    def _plan(request: TrainRequest, data: Any) -> dict[str, Any]:
        pairs = sum(len(source.pairs) for source in data) if isinstance(data, tuple) else len(data)
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
        from synthvlm_ui.service.training.train_job import carry_out

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
        """The line that trains on several cards of this machine; accelerate launch does the same."""
        own = self.command(settings).removeprefix("python ")
        return f"torchrun --nproc-per-node {processes} {own} --here"

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

    def _check_out(self, settings: TrainingSettings) -> str:
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
        return f"goes on in {out}" if there else f"{out} is free"


def _request(settings: TrainingSettings) -> TrainRequest:
    """The settings as the training room checks them. Raises: UnknownName, BadSetting."""
    return TrainRequest(
        recipe=settings.recipe, out=Path(settings.out), sources=(), parts=MINIATURE,
        configuration=settings.configuration,
        init_from=None if settings.recipe.startswith("llava") else _init_from(settings), steps=settings.max_steps,
        learning_rate=settings.learning_rate, batch_size=settings.batch_size, on_the_fly=settings.on_the_fly)


def _check_model(settings: TrainingSettings) -> str:
    """What the training starts from. Raises: BadSetting, ModelUnavailable."""
    if settings.recipe.startswith("llava"):
        _check_llava(settings)
        return f"starts from {settings.init_from}" + (f" with {settings.vision_tower}" if settings.vision_tower else "")
    if settings.language:
        require_weights(settings.language, "config.json")
    if settings.recipe == "synth2-vq" and settings.perceptual != "none":
        if settings.perceptual.startswith(VGG):
            require_weights(settings.perceptual.removeprefix(VGG), "model.safetensors")
        else:
            require_embedder(settings.perceptual)
    if settings.configuration == "finetune" and not settings.init_from:
        raise BadSetting("there is no VLM to fine-tune", where="--init-from", fix="Give a directory with a part vlm.")
    return f"starts from {settings.init_from}" if settings.init_from else "starts from the parts that ship with the app"


def _raise(error: Exception) -> str:
    raise error


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
