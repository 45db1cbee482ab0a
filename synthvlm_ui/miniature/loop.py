"""Runs a recipe step by step: progress, checkpoints, resume after a kill.

A step of a recipe depends only on (its state, the step number), so an interrupted run that
is resumed ends with the weights of an uninterrupted one. Knows nothing about what is trained.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import torch

CHECKPOINT = "checkpoint.pt"


class Recipe(Protocol):
    """One trainable part of the small world."""

    name: str
    steps: int

    def step(self, step: int) -> float:
        """Train on the batch of this step number and return the loss."""

    def state(self) -> dict[str, Any]:
        """Everything that training changes."""

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""

    def export(self, out: Path) -> None:
        """Write the shipped form (config.json, model.safetensors, ...) into a directory."""


def train(
    recipe: Recipe,
    run_dir: Path,
    out: Path,
    *,
    resume: bool = False,
    start: int = 0,
    minutes: float | None = None,
    checkpoint_every_s: float = 200.0,
) -> bool:
    """Train a recipe to its last step, or until the time is over, and export it.

    Args:
        run_dir: where the resumable checkpoint lives.
        out: where the shipped form goes, at every checkpoint.
        resume: continue from the checkpoint in `run_dir` when there is one.
        start: first step when there is no checkpoint.
        minutes: stop (with a checkpoint) after this wall time; None: never.

    Returns:
        whether the last step has been done.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = run_dir / CHECKPOINT
    first = _restore(recipe, checkpoint) if resume and checkpoint.exists() else start
    started = saved = time.monotonic()
    average = float("nan")
    for step in range(first, recipe.steps):
        loss = recipe.step(step)
        average = loss if average != average else 0.98 * average + 0.02 * loss
        now = time.monotonic()
        _report(recipe, step + 1, first, average, now - started)
        over = minutes is not None and now - started > minutes * 60
        if over or now - saved > checkpoint_every_s:
            _save(recipe, checkpoint, step + 1, out)
            saved = now
        if over:
            return step + 1 == recipe.steps
    _save(recipe, checkpoint, recipe.steps, out)
    return True


def _save(recipe: Recipe, path: Path, done: int, out: Path) -> None:
    part = path.with_suffix(".part")
    torch.save({"done": done, "state": recipe.state()}, part)
    os.replace(part, path)
    out.mkdir(parents=True, exist_ok=True)
    recipe.export(out)


def _restore(recipe: Recipe, path: Path) -> int:
    saved = torch.load(path, map_location="cpu", weights_only=True)
    recipe.restore(saved["state"])
    return int(saved["done"])


def _report(recipe: Recipe, done: int, first: int, loss: float, elapsed: float) -> None:
    live = sys.stderr.isatty()
    if done % (1 if live else 25) and done != recipe.steps:
        return
    left = elapsed / max(1, done - first) * (recipe.steps - done)
    end = "\r" if live and done != recipe.steps else "\n"
    print(
        f"{recipe.name:>9} {done}/{recipe.steps}  loss {loss:.4f}  "
        f"{elapsed / 60:.1f} min, {left / 60:.1f} left",
        file=sys.stderr, end=end, flush=True,
    )  # fmt: skip
