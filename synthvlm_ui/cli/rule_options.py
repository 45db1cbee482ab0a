"""The options of a rule and of what is looked at, which ``select``, ``find``, ``views`` and ``verdict`` share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.parser import Parser, at_least, fraction, number
from synthvlm_ui.errors import BadSetting

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio, ViewState

# Option -> field of SelectionRule; an option that was not given leaves the preset's own value.
RULE_FIELDS = (
    "preset", "ssim_weight", "clip_min", "ssim_min", "combined_min", "where", "top_k", "keep_ratio", "skip_top",
    "best_per_caption", "per_cluster", "drop_duplicates", "near_duplicates", "duplicate_bits", "duplicate_cosine",
    "guards", "random", "seed",
)


def add_rule_options(parser: Parser) -> None:
    """--preset to --seed."""
    add = parser.add_argument
    add("--preset", metavar="NAME",
        help="where to start from: paper, bettersynth, flare or normalised (default: paper)")
    add("--lambda", dest="ssim_weight", type=number, metavar="L", help="weight of SSIM beside CLIPScore")
    add("--clip-min", type=number, metavar="COSINE", help="lowest raw CLIP cosine to keep")
    add("--ssim-min", type=number, metavar="X", help="lowest SSIM to keep")
    add("--combined-min", type=number, metavar="X", help="lowest combined score to keep")
    add("--where", metavar="EXPR", help="condition on columns, such as 'ssim < 0.95 and caption contains \"red cat\"'")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--top-k", "--top-n", type=at_least(1), metavar="N", help="keep the N best")
    size.add_argument("--keep-ratio", type=fraction, metavar="R", help="keep this share of the best")
    add("--skip-top", type=at_least(0), metavar="N", help="leave the N best out")
    add("--best-per-caption", action="store_true", default=None, help="keep only the best image of each caption")
    add("--per-cluster", type=at_least(1), metavar="N", help="keep at most the N best of each cluster")
    add("--drop-duplicates", action="store_true", default=None, help="the same as --near-duplicates phash")
    add("--near-duplicates", choices=("phash", "embedding", "both"),
        help="of pictures that look alike by hash or embedding keep only the best")
    add("--duplicate-bits", type=at_least(0), metavar="B", help="bits in which alike hashes differ (default: 6)")
    add("--duplicate-cosine", type=number, metavar="X", help="cosine from which embeddings are alike (default: 0.95)")
    add("--guards", choices=("on", "off"), help="drop blank and blurred images (default: on)")
    add("--random", action="store_true", default=None, help="keep at random instead of the best: the control group")
    add("--seed", type=at_least(0), metavar="S", help="seed of --random")


def add_shown_options(parser: Parser) -> None:
    """What of a rule's dataset is looked at, and where a view of that name or a link says it."""
    add = parser.add_argument
    add("--text", metavar="WORDS", help="captions with these words; \"two words\" in a row, -without, star*")
    add("--meaning", metavar="SENTENCE", help="images that CLIP finds like this sentence")
    add("--like", metavar="ID", help="images like this candidate")
    add("--show", metavar="WHAT",
        help="kept (default), dropped, all, undecided, keep, reject, overridden, failed or real")
    add("--order", metavar="BY", help="combined (default), clip_cosine, ssim, newest, caption, random, similarity or "
                                      "a score; -score is the other way round")


def rule_given(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a rule that were given."""
    given = {field: getattr(options, field) for field in RULE_FIELDS if getattr(options, field) is not None}
    if "guards" in given:
        given["guards"] = options.guards == "on"
    return given


def state_given(options: argparse.Namespace, studio: Studio) -> ViewState:
    """What is looked at: a saved view or a link where one is named, with the options over it. Raises: BadSetting."""
    from synthvlm_ui.service import state_of

    base: dict[str, Any] = {"rule": {}, "find": {}}
    if getattr(options, "view", None):
        base = studio.saved_views.state(options.view).to_json()
    elif getattr(options, "link", None):
        base = studio.saved_views.open(options.link)["state"]
    rule = {**base["rule"], **({"dataset": options.dataset} if options.dataset else {}), **rule_given(options)}
    if not rule.get("dataset"):
        raise BadSetting("no dataset is named", where="--dataset", fix="Give --dataset NAME, a view or a link.")
    find = {**base["find"], **{name: value for name in ("text", "meaning", "like")
                               if (value := getattr(options, name)) is not None}}
    rest = {name: value for name in ("show", "order", "offset", "limit")
            if (value := getattr(options, name, None)) is not None}
    return state_of({**base, **rest, "rule": rule, "find": find})
