"""``runs``: the table over trainings, from what they were trained on to what they can do."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

_HEAD = ("job", "name", "recipe", "trained on", "pairs", "CLIP", "SSIM", "entropy", "steps", "loss", "steps/s",
         "metrics", "state")


def add_to(commands: Commands) -> None:
    group = commands.group("runs", "trainings: selection, size, scores, loss and metrics in one table")
    group.add("list", _list, "every training with what it was trained on and what it reached", needs="existing")
    show = group.add("show", _show, "one training with its command and the curve of its loss", needs="existing")
    show.add_argument("id", metavar="JOB")


def _list(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    found = studio.runs.list()
    rows = [_HEAD, *map(_cells, found["runs"])]
    output.result(found, table(rows) if len(rows) > 1 else ["no training yet"])


def _show(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    run = studio.runs.show(options.id)
    rows = [_HEAD, _cells(run)]
    steps = [f"step {row['step']}  loss {row['loss']:.4f}" for row in run["curve"][-10:]]
    output.result({"run": run}, [*table(rows), run["command"], *steps])


def _cells(run: Mapping[str, Any]) -> tuple[str, ...]:
    sources = run["sources"]
    weights = [f":{source['weight']:g}" if source["weight"] is not None else "" for source in sources]
    names = [f"{source['name']}{weight}" for source, weight in zip(sources, weights, strict=True)]
    metrics = " ".join(f"{name} {value:.4g}" for name, value in run["metrics"].items())
    return (run["job_id"], run["name"], f"{run['recipe']} {run['configuration']}", " + ".join(names),
            _text(run["pairs"], "{:,}"), _mean(sources, "clip_cosine"), _mean(sources, "ssim"),
            " ".join(_text(source["entropy_bits"], "{:.2f}") for source in sources),
            f"{run['steps']}/{run['max_steps']}", _text(run["loss"], "{:.4f}"), _text(run["steps_per_s"], "{:.3g}"),
            metrics or "-", run["state"])


def _mean(sources: list[Mapping[str, Any]], name: str) -> str:
    return " ".join(_text(source["scores"].get(name), "{:.3f}") for source in sources)


def _text(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)
