"""``select``: a named rule and the candidates it keeps."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, at_least, fraction, number

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

# Option -> field of SelectionRule; an option that was not given leaves the preset's own value.
RULE_FIELDS = (
    "preset", "ssim_weight", "clip_min", "ssim_min", "combined_min", "where", "top_k", "keep_ratio",
    "best_per_caption", "drop_duplicates", "guards", "random", "seed",
)


def add_to(commands: Commands) -> None:
    parser = commands.add("select", _select, "keep the candidates that a rule chooses, under a name")
    add = parser.add_argument
    add("--dataset", required=True, metavar="NAME")
    add("--name", required=True, metavar="SELECTION", help="name of the selection; replaces one of the same name")
    add("--preset", default="paper", metavar="NAME",
        help="where to start from: paper, bettersynth, flare or normalised (default: paper)")
    add("--lambda", dest="ssim_weight", type=number, metavar="L", help="weight of SSIM beside CLIPScore")
    add("--clip-min", type=number, metavar="COSINE", help="lowest raw CLIP cosine to keep")
    add("--ssim-min", type=number, metavar="X", help="lowest SSIM to keep")
    add("--combined-min", type=number, metavar="X", help="lowest combined score to keep")
    add("--where", metavar="EXPR", help="condition on columns, such as 'clip_cosine >= 0.25 and ssim < 0.95'")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--top-k", "--top-n", type=at_least(1), metavar="N", help="keep the N best")
    size.add_argument("--keep-ratio", type=fraction, metavar="R", help="keep this share of the best")
    add("--best-per-caption", action="store_true", default=None, help="keep only the best image of each caption")
    add("--drop-duplicates", action="store_true", default=None, help="of pictures that look alike keep only the best")
    add("--guards", choices=("on", "off"), help="drop blank and blurred images (default: on)")
    add("--random", action="store_true", default=None, help="keep at random instead of the best: the control group")
    add("--seed", type=at_least(0), metavar="S", help="seed of --random")


def _select(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    given = {field: getattr(options, field) for field in RULE_FIELDS if getattr(options, field) is not None}
    if "guards" in given:
        given["guards"] = options.guards == "on"
    rule = studio.curation.rule(dataset=options.dataset, **given)
    outcome = studio.curation.select(options.name, rule)
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield (f"{outcome['name']}: kept {outcome['kept']} of {outcome['total']} candidates, "
           f"{outcome['captions_kept']} captions")
    for name, value in outcome["thresholds"].items():
        if value is not None:
            yield f"  {name} >= {value:.6g}"
    yield f"ids, best first: {outcome['ids_file']}"
