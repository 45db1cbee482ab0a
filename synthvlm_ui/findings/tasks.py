"""What is measured once per seed and kept: a caption model on named pairs, a rate, a perplexity, a diversity.

A task is data only. Its result is a small JSON file whose name is a hash of everything that it depends on, so a second
run does what is missing and two findings that need the same arm share it. Imports no torch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.records import short_hash
from synthvlm_ui.store.files.atomic import write_bytes

# Raised when the code behind a result changes its meaning.
VERSION = 1
Order = Literal["random", "paper", "clip", "ssim"]
Kind = Literal["captioner", "rates", "language", "diversity", "scores"]


@dataclass(frozen=True)
class Part:
    """``count`` pairs of a set: drawn anew for each seed, or the best by a selection rule; None: all of them."""

    name: str
    count: int | None = None
    order: Order = "random"


@dataclass(frozen=True)
class Task:
    """One measurement of one seed. ``curve`` judges a caption model several times on its way."""

    kind: Kind
    parts: tuple[Part, ...] = ()
    curve: bool = False

    def key(self, plan: Plan, seed: int) -> str:
        """Names the result; the number of seeds is no part of it."""
        settings = {name: value for name, value in asdict(plan).items() if name != "seeds"}
        return short_hash(self.kind, {"task": asdict(self), "plan": settings, "seed": seed, "version": VERSION})

    def described(self) -> str:
        """The task in a few words, for progress and logs."""
        parts = " + ".join(f"{part.count or 'all'} {part.name} ({part.order})" for part in self.parts)
        return f"{self.kind} {parts}".strip()


class Results:
    """Results on disk. Args: ``folder`` made when the first one is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, task: Task, plan: Plan, seed: int) -> dict[str, Any] | None:
        """What a task has given, or None; a file that is no JSON counts as missing."""
        try:
            found: dict[str, Any] = json.loads(self._path(task, plan, seed).read_text("utf-8"))["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found

    def put(self, task: Task, plan: Plan, seed: int, result: dict[str, Any], cpu_s: float) -> None:
        """Keeps a result, whole or not at all."""
        record = {"task": asdict(task), "seed": seed, "cpu_s": round(cpu_s, 1), "result": result}
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self._path(task, plan, seed), (json.dumps(record, indent=1) + "\n").encode())

    def _path(self, task: Task, plan: Plan, seed: int) -> Path:
        return self._folder / f"{task.key(plan, seed)}.json"
