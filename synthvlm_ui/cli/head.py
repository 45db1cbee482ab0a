"""``head``: scorers learnt from your own keep and reject verdicts, on stored CLIP embeddings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, at_least

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("head", "scorers on stored CLIP embeddings")
    learn = group.add("learn", _learn, "learn a scorer from the keep and reject verdicts of a dataset")
    learn.add_argument("--dataset", required=True, metavar="NAME")
    learn.add_argument("--name", required=True, metavar="HEAD", help="name to score with, as head:HEAD")
    learn.add_argument("--seed", type=at_least(0), default=0, help="of the folds (default: 0)")
    learn.add_argument("--score", action="store_true", help="then score the dataset with it, real images too")
    group.add("list", _list, "the heads of this workspace", needs="existing")


def _learn(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    if options.score:
        outcome = follow(studio, studio.heads.start(options.dataset, options.name, seed=options.seed), output)["result"]
        last = f"  {outcome['scored']} images scored: column {outcome['column']}"
    else:
        outcome = studio.heads.learn(options.dataset, options.name, seed=options.seed)
        last = f"  use it: score --dataset {options.dataset} --scorers head:{outcome['name']}"
    output.result(outcome, [
        f"learnt {outcome['name']} from {outcome['kept']} kept and {outcome['rejected']} rejected candidates",
        f"  accuracy {outcome['accuracy']:.1%} ± {outcome['accuracy_sd']:.1%} over {outcome['folds']} folds "
        f"(always the larger side: {outcome['majority']:.1%})",
        last])


def _list(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.heads.list()
    output.result(outcome, (f"{row['name']}: column {row['column']}, {row['dimension']} numbers, "
                            f"accuracy {row.get('accuracy', 'unknown')}" for row in outcome["heads"]))
