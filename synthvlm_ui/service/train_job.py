"""The job that trains: pairs from the store or from files, a recipe of the training room, metrics into the job.

Runs in a worker process. A stop or a kill costs the steps since the last checkpoint; resuming goes on from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.backends import open_image_tower, resolve_weights
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.service.training_pairs import open_sources
from synthvlm_ui.store import Workspace
from synthvlm_ui.training import TrainRequest

VGG = "vgg16:"
LANGUAGE_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


def run_train(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Carries a training to its last step or to the user's stop. Returns {checkpoint, final_loss, steps}."""
    context.progress.update(0, 0, message="loading")
    from synthvlm_ui.backends.device import choose_device
    from synthvlm_ui.backends.torchvision_ops import ensure_importable
    from synthvlm_ui.training.recipes import train

    ensure_importable()
    config = context.config
    device = choose_device(context.device)
    request = TrainRequest(
        recipe=config["recipe"], out=Path(config["out"]), sources=open_sources(workspace, config), parts=MINIATURE,
        configuration=config["configuration"], init_from=Path(config["init_from"]) if config["init_from"] else None,
        language=resolve_weights(config["language"], LANGUAGE_FILES) if config["language"] else None,
        features=_features(config["perceptual"], device), steps=config["max_steps"],
        learning_rate=config["learning_rate"], batch_size=config["batch_size"], seed=config["seed"], device=device,
        resume=config["resume"], on_the_fly=config["on_the_fly"],
        facts={"job": context.id, "perceptual": config["perceptual"], "language": config["language"],
               "command": config["command"]},
    )  # fmt: skip
    outcome = train(request, _Watcher(context))
    return {"checkpoint": config["out"], "final_loss": outcome.final_loss, "steps": outcome.steps}


class _Watcher:
    """Progress, rows of metrics, and the user's wish to stop."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._first: tuple[int, float] | None = None

    def phase(self, message: str, done: int = 0, total: int = 0) -> None:
        self._context.progress.update(done, total, message=message)

    def numbers(self, step: int, steps: int, numbers: Mapping[str, float]) -> None:
        now_s = time.monotonic()
        first_step, first_s = self._first = self._first or (step, now_s)
        rate = (step - first_step) / (now_s - first_s) if now_s > first_s and step > first_step else None
        shown = f"loss {numbers['loss']:.4f}" + (f", {rate:.3g} steps/s" if rate else "")
        self._context.progress.update(step, steps, message=shown)
        self._context.metrics({"step": step, **numbers})

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
