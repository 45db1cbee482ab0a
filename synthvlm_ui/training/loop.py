"""Runs a recipe from its last checkpoint to its last step, or until it is asked to stop.

A step of a recipe depends only on (its state, the step's number): all chance is drawn anew from (seed, step), so a run
that was stopped and resumed has the losses and the weights of an unbroken one. Knows nothing of what is trained.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from synthvlm_ui.errors import Failure
from synthvlm_ui.training.request import Outcome
from synthvlm_ui.training.run_directory import Checkpoint, RunDirectory

CHECKPOINT_EVERY_S = 600.0
LAST_LOSSES = 20
_ROWS = 2000  # of metrics in a long run

Report = Callable[[int, Mapping[str, float]], None]


class Recipe(Protocol):
    """Something that can be trained step by step."""

    steps: int
    seed: int

    def step(self, step: int) -> dict[str, float]:
        """Trains on the batch of this step; returns its numbers, ``loss`` among them."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything that training changes, by name."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Inverse of ``tensors``."""

    def export(self) -> None:
        """Writes the parts as they are used, beside the run."""


def run(recipe: Recipe, directory: RunDirectory, report: Report, should_stop: Callable[[], bool],
        checkpoint_every_s: float = CHECKPOINT_EVERY_S) -> Outcome:
    """Trains to the last step or to the stop, and writes a checkpoint and the parts in either case.

    ``report`` gets (steps done, numbers) every step, or at least 2,000 times in a longer run. Raises: Failure when the
    loss is no longer a number.
    """
    done, losses = _restore(recipe, directory)
    saved_s, every = time.monotonic(), max(1, recipe.steps // _ROWS)
    stopped = False
    while done < recipe.steps and not (stopped := should_stop()):
        torch.manual_seed(_seed_of(recipe.seed, done))
        numbers = recipe.step(done)
        done += 1
        losses.append(numbers["loss"])
        if not np.isfinite(numbers["loss"]):
            raise Failure(f"the loss is {numbers['loss']} after {done} steps", where=str(directory.out),
                          fix="Start again with a lower --learning-rate.")
        if done % every == 0 or done == recipe.steps:
            report(done, numbers)
        if time.monotonic() - saved_s > checkpoint_every_s:
            _save(recipe, directory, done, losses)
            saved_s = time.monotonic()
    _save(recipe, directory, done, losses)
    mean = float(np.mean(losses)) if losses else float("nan")
    return Outcome(done, mean, not stopped)


def _restore(recipe: Recipe, directory: RunDirectory) -> tuple[int, deque[float]]:
    checkpoint = directory.load()
    if checkpoint is None:
        return 0, deque(maxlen=LAST_LOSSES)
    recipe.restore(checkpoint.tensors)
    return checkpoint.done, deque(checkpoint.facts.get("losses", ()), maxlen=LAST_LOSSES)


def _save(recipe: Recipe, directory: RunDirectory, done: int, losses: deque[float]) -> None:
    directory.save(Checkpoint(done, recipe.tensors(), {"losses": list(losses)}))
    recipe.export()


def _seed_of(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, 23, step]).generate_state(1, np.uint64)[0]) & (2**63 - 1)
