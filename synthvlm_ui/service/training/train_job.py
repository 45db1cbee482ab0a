"""Carrying out a training: as a job of a worker, or in the process of whoever asks for it.

Joins pairs, back ends and recipes. A kill costs the steps since the last checkpoint; resuming goes on from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.backends import open_image_tower, resolve_weights
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.service.training.training_pairs import open_conversations, open_sources
from synthvlm_ui.store import Workspace
from synthvlm_ui.training import RunDirectory, TrainRequest, open_tracker

if TYPE_CHECKING:
    from synthvlm_ui.training.watcher import Watcher

VGG = "vgg16:"
MODEL_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def run_train(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Carries a training to its last step or to the user's stop. Returns {checkpoint, final_loss, steps}."""
    context.progress.update(0, 0, message="loading")
    watcher = _JobWatcher(context)
    try:
        return carry_out(context.config, workspace, watcher, context.device, context.id)
    finally:
        watcher.close()


def carry_out(config: Mapping[str, Any], workspace: Workspace, watcher: Watcher, device: str,
              job_id: str | None = None) -> dict[str, Any]:
    """Trains in this process. Returns {checkpoint, final_loss, steps}. Raises: whatever the recipe does."""
    from synthvlm_ui.backends.device import choose_device
    from synthvlm_ui.models.torchvision_ops import ensure_importable

    ensure_importable()
    device = choose_device(device)
    train = _llava if config["recipe"].startswith("llava") else _synth2
    outcome = train(config, workspace, watcher, device, job_id)
    return {"checkpoint": config["out"], "final_loss": outcome.final_loss, "steps": outcome.steps}


def _synth2(config: Mapping[str, Any], workspace: Workspace, watcher: Watcher, device: str, job_id: str | None) -> Any:
    from synthvlm_ui.training.recipes import train

    return train(TrainRequest(
        recipe=config["recipe"], out=Path(config["out"]), sources=open_sources(workspace, dict(config)),
        parts=MINIATURE, configuration=config["configuration"],
        init_from=Path(config["init_from"]) if config["init_from"] else None,
        language=resolve_weights(config["language"], MODEL_FILES) if config["language"] else None,
        features=_features(config["perceptual"], device), steps=config["max_steps"],
        learning_rate=config["learning_rate"], batch_size=config["batch_size"], seed=config["seed"], device=device,
        resume=config["resume"], on_the_fly=config["on_the_fly"],
        facts={"job": job_id, "perceptual": config["perceptual"], "language": config["language"],
               "continues": bool(config["init_from"]) and config["configuration"] in (None, "finetune"),
               "command": config.get("command", "")},
    ), watcher)  # fmt: skip


def _llava(config: Mapping[str, Any], workspace: Workspace, watcher: Watcher, device: str, job_id: str | None) -> Any:
    from synthvlm_ui.training.llava import train_llava

    out, conversations = Path(config["out"]), open_conversations(workspace, dict(config))
    request = TrainRequest(
        recipe=config["recipe"], out=out, sources=(), parts=MINIATURE, configuration=config["configuration"],
        steps=config["max_steps"], learning_rate=config["learning_rate"], batch_size=config["batch_size"])
    vision = config["vision_tower"]
    model = (resolve_weights(config["init_from"], MODEL_FILES),
             resolve_weights(vision, MODEL_FILES) if vision else None)
    settings = {name: config[name] for name in ("recipe", "init_from", "vision_tower", "seed")}
    preset = request.preset()
    RunDirectory(out).begin({
        **settings, "configuration": request.configuration_name(), "steps": preset.steps, "device": device,
        "learning_rate": preset.learning_rate, "batch_size": preset.batch_size, "conversations": conversations.key,
        "job": job_id, "command": config.get("command", "")}, resume=config["resume"])
    return train_llava(config["recipe"], preset, conversations, watcher, out=out, model_from=model, device=device,
                       seed=config["seed"])


class _JobWatcher:
    """Progress, rows of metrics, and the user's wish to stop."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._first: tuple[int, float] | None = None
        config = context.config
        self._tracker = open_tracker(config["log_to"], Path(config["out"]), context.id, config) \
            if config.get("log_to") else None

    def phase(self, message: str, done: int = 0, total: int = 0) -> None:
        self._context.progress.update(done, total, message=message)

    def numbers(self, step: int, steps: int, numbers: Mapping[str, float]) -> None:
        now_s = time.monotonic()
        first_step, first_s = self._first = self._first or (step, now_s)
        rate = (step - first_step) / (now_s - first_s) if now_s > first_s and step > first_step else None
        shown = f"loss {numbers['loss']:.4f}" + (f", {rate:.3g} steps/s" if rate else "")
        self._context.progress.update(step, steps, message=shown)
        row = {**numbers, **({"steps_per_s": round(rate, 4)} if rate else {})}
        self._context.metrics({"step": step, **row})
        if self._tracker is not None:
            self._tracker.log(step, row)

    def close(self) -> None:
        """Ends what was opened for this run."""
        if self._tracker is not None:
            self._tracker.close()

    def should_stop(self) -> bool:
        return self._context.progress.should_stop()


def _features(name: str, device: str) -> Callable[[], Any] | None:
    """What opens the network of the perceptual term: an embedder's image network, or VGG-16 from a file."""
    if name == "none":
        return None

    def open_features() -> Any:
        from synthvlm_ui.training.perceptual import ClipFeatures, VggFeatures

        if name.startswith(VGG):
            return VggFeatures(resolve_weights(name.removeprefix(VGG), ("model.safetensors",)) / "model.safetensors")
        return ClipFeatures(*open_image_tower(name, device))

    return open_features
