"""``score``: numbers for the candidates of a dataset that lack them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import counts, follow
from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, names
from synthvlm_ui.config import DEFAULT_SCORERS

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

RESULT_KEYS = ("scored", "failed", "skipped")
SPREAD = ("mean", "std", "min", "max")


def add_to(commands: Commands) -> None:
    parser = commands.add("score", _score, "score the candidates of a dataset that have no scores yet")
    parser.add_argument("--dataset", required=True, metavar="NAME")
    parser.add_argument("--scorers", type=names, default=DEFAULT_SCORERS, metavar="LIST",
                        help=f"scorers to run, with commas (default: {','.join(DEFAULT_SCORERS)})")
    parser.add_argument("--clip-model", default="miniature", metavar="NAME",
                        help="CLIP model of the clip scorer (default: miniature)")
    parser.add_argument("--rescore", action="store_true", help="score again what has scores")


def _score(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    job_id = studio.scoring.start(
        options.dataset, scorers=options.scorers, clip_model=options.clip_model, rescore=options.rescore
    )
    outcome = counts(follow(studio, job_id, output), RESULT_KEYS)
    outcome["metrics"] = studio.scoring.metrics(options.dataset)
    outcome["real_metrics"] = studio.scoring.real_metrics(options.dataset)
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield (f"scored {outcome['scored']} images, {outcome['failed']} failed, "
           f"{outcome['skipped']} had scores already (job {outcome['job_id']})")
    for title, metrics in (("column", outcome["metrics"]), ("of real images", outcome["real_metrics"])):
        rows = [[f"  {title}", *SPREAD]]
        for column, spread in metrics.items():
            rows.append([f"  {column}", *(_short(spread[key]) for key in SPREAD)])
        if len(rows) > 1:
            yield from table(rows)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
