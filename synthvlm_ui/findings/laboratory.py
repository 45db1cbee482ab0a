"""Carries tasks out: opens what they need once, reads results that are there, measures and keeps those that are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synthvlm_ui.backends import create_text_embedder
from synthvlm_ui.captions import entropy_bits
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.diversity import measure
from synthvlm_ui.findings.captioners import Exam, Frozen, Read, train_captioner
from synthvlm_ui.findings.front import trained_front
from synthvlm_ui.findings.language import language_kept
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.rates import measure_rates, through_pixels
from synthvlm_ui.findings.scores import Columns, chosen_rows, score_set
from synthvlm_ui.findings.sets import PairSet, Sets
from synthvlm_ui.findings.tasks import Part, Results, Task
from synthvlm_ui.miniature.grammar import parse
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.models.language import load_language_model

# (what, done, total); may raise to stop
Told = Callable[[str, int, int], None]
PIXELS, POOL = "pool-pixels", "pool-generated"


class Laboratory:
    """One plan's measurements. Args: ``folder`` keeps sets, front and results; ``told`` hears of progress."""

    def __init__(self, folder: Path, plan: Plan, told: Told) -> None:
        self.plan, self.results = plan, Results(folder / "results")
        self._folder, self._told = folder, told
        self._sets = Sets(folder / "sets", plan, lambda name, done, total: told(f"images of {name}", done, total))
        self._read: dict[str, Read] = {}
        self._through: PairSet | None = None

    def result(self, task: Task, seed: int) -> dict[str, Any]:
        """A task's numbers, from disk or measured now."""
        found = self.results.get(task, self.plan, seed)
        if found is None:
            started_s = time.process_time()
            with _one_thread():
                found = self._measured(task, seed)
            self.results.put(task, self.plan, seed, found, time.process_time() - started_s)
        return found

    def _measured(self, task: Task, seed: int) -> dict[str, Any]:
        def on_step(done: int, total: int) -> None:
            self._told(f"seed {seed}: {task.described()}", done, total)

        if task.kind == "captioner":
            read = [(self._as_read(part.name), self._rows(part, seed)) for part in task.parts]
            return train_captioner(read, self._exam, self.plan, seed=seed, curve=task.curve, on_step=on_step)
        if task.kind == "rates":
            return dict(measure_rates(self._sets.generator, self._frozen.language, self._sets.tokenizer,
                                      self._sets.get(POOL), self.plan.timed_steps, on_step))
        if task.kind == "language":
            aligned = _subset(self._sets.get(task.parts[0].name), self._rows(task.parts[0], seed))
            return dict(language_kept(self._frozen, aligned, self._sets.get("real"), self._sets.get("heldout"),
                                      self.plan, seed=seed, on_step=on_step))
        if task.kind == "diversity":
            return self._diversity(seed)
        rows, scores = self._rows(task.parts[0], seed), self._scores
        return {name: float(values[rows].mean()) for name, values in scores.items()}

    @cached_property
    def _frozen(self) -> Frozen:
        torchvision_ops.ensure_importable()
        language = load_language_model(MINIATURE / "lm")
        front = trained_front(self._folder / "front", self.plan, language, self._sets.tokenizer,
                              lambda done, total: self._told("the part that looks", done, total))
        return Frozen(language, self._sets.tokenizer, front)

    @cached_property
    def _exam(self) -> Exam:
        return Exam(self._frozen, self._sets.heldout_rows, self._sets.get("heldout").tokens)

    @cached_property
    def _scores(self) -> Columns:
        return score_set(self._sets.generator, self._sets.get(POOL),
                         lambda done, total: self._told("scores of the pool", done, total))

    def _set(self, name: str) -> PairSet:
        if name != PIXELS:
            return self._sets.get(name)
        if self._through is None:
            pool = self._sets.get(POOL)
            self._through = PairSet(pool.captions, through_pixels(self._sets.generator, self._sets.tokenizer,
                                                                  pool.tokens))
        return self._through

    def _as_read(self, name: str) -> Read:
        if name not in self._read:
            self._told(f"reading {name}", 0, 1)
            self._read[name] = Read(self._frozen, self._set(name))
        return self._read[name]

    def _rows(self, part: Part, seed: int) -> NDArray[np.int64]:
        return chosen_rows(part, len(self._set(part.name).captions), seed, lambda: self._scores)

    def _diversity(self, seed: int) -> dict[str, Any]:
        """Entropy and concentration of written and skewed captions clustered together, and over the objects named."""
        texts = {name: self._sets.captions(name) for name in ("written", "skewed")}
        embedder = create_text_embedder("lm", device="cpu")
        rows = {name: np.asarray(embedder.embed_texts(each), np.float32) for name, each in texts.items()}
        k = min(20, min(len(each) for each in texts.values()) // 2)
        found = measure(rows, k=k, seed=seed, fits=1).sets()
        return {name: {"entropy_bits": found[name]["entropy_bits"], "top5": found[name]["top5"],
                       **_objects(texts[name])} for name in texts}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks as narrow as these are slower on two threads: the threads wait for each other (docs/LOG.md)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _objects(texts: list[str]) -> dict[str, float]:
    scenes = [scene for text in texts if (scene := parse(text)) is not None]
    named = [thing.noun for scene in scenes for thing in (scene.first, scene.second) if thing is not None]
    counts = {noun: named.count(noun) for noun in set(named)}
    top = sorted(counts.values(), reverse=True)[:5]
    return {"object_entropy_bits": entropy_bits(counts), "object_top5": sum(top) / max(1, len(named))}


def _subset(pairs: PairSet, rows: NDArray[np.int64]) -> PairSet:
    return PairSet([pairs.captions[row] for row in rows], pairs.tokens[rows])
