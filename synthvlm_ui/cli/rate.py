"""``rate``: a blind preference study between real and synthetic images, by people or by a model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import counts, follow
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, at_least

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

CHOICES = ("1", "2", "tie", "skip")


def add_to(commands: Commands) -> None:
    group = commands.group("rate", "blind preference between real and synthetic images")
    start = group.add("start", _start, "fix the pairs of a new study")
    start.add_argument("--study", required=True, metavar="NAME", help="name of the study")
    start.add_argument("--real", required=True, metavar="NAME", help="dataset whose real images take part")
    start.add_argument("--synthetic", required=True, metavar="NAME", help="dataset or selection of the candidates")
    start.add_argument("--pairs", type=at_least(1), default=100, metavar="N", help="how many captions (default: 100)")
    start.add_argument("--seed", type=at_least(0), default=0, help="of the pairs, their order and their sides")
    following = group.add("next", _next, "show the next pair of a rater, without saying which picture is which",
                          needs="existing")
    answer = group.add("answer", _answer, "record which picture of a pair a rater prefers")
    for parser in (following, answer):
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--rater", metavar="NAME", help="who rates (default: this machine's actor)")
    answer.add_argument("--pair", required=True, type=at_least(0), metavar="N", help="the number that rate next shows")
    answer.add_argument("--choice", required=True, choices=CHOICES)
    show = group.add("show", _show, "win rate with its interval, agreement of raters and with each score",
                     needs="existing")
    show.add_argument("--study", required=True, metavar="NAME")
    group.add("list", _list, "every study and how far it is", needs="existing")
    judge = group.add("judge", _judge, "let a model that sees images rate the pairs, each with both sides first")
    judge.add_argument("--study", required=True, metavar="NAME")
    judge.add_argument("--writer", required=True, metavar="NAME", help="a writer that accepts images, see info")
    judge.add_argument("--limit", type=at_least(1), metavar="N", help="rate the first N pairs only")


def _start(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    real, synthetic, _ = studio.comparison.specs(options.real, [options.synthetic])
    outcome = studio.preference.start(options.study, real, synthetic[0], pairs=options.pairs, seed=options.seed)
    output.result(outcome, [f"study {outcome['study']} has {outcome['pairs']} pairs"])


def _next(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.preference.next(options.study, options.rater)
    if outcome["pair"] is None:
        output.result(outcome, [f"{outcome['rater']} has rated all {outcome['total']} pairs"])
        return
    output.result(outcome, [
        f"pair {outcome['pair']} ({outcome['done']} of {outcome['total']} done): {outcome['caption']}",
        f"  1: {outcome['first']}", f"  2: {outcome['second']}"])


def _answer(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.preference.rate(options.study, options.pair, options.choice, options.rater)
    output.result(outcome, [f"recorded as event {outcome['event_id']}"])


def _list(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.preference.studies()
    output.result(outcome, (f"{one['name']}: {one['ratings']} ratings of {one['pairs']} pairs by "
                            f"{len(one['raters'])} raters" for one in outcome["studies"]))


def _judge(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    job_id = studio.preference.judge(options.study, options.writer, limit=options.limit)
    outcome = counts(follow(studio, job_id, output), ("rated", "failed", "consistent"))
    output.result(outcome, [f"rated {outcome['rated']} pairs, {outcome['failed']} without an answer, "
                            f"{outcome['consistent']} alike from both sides (job {job_id})"])


def _show(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.preference.report(options.study)
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    counted = outcome["counts"]
    yield (f"{outcome['study']}: {outcome['ratings']} ratings of {outcome['pairs']} pairs: synthetic "
           f"{counted['synthetic']}, real {counted['real']}, tie {counted['tie']}, skipped {counted['skip']}")
    if outcome["win_rate"] is not None:
        low, high = outcome["interval"]
        yield f"synthetic preferred: {outcome['win_rate']:.1%}, 95 % interval {low:.1%} to {high:.1%}"
    agreement = outcome["agreement"]
    if agreement:
        yield f"agreement of raters: Krippendorff's alpha {_short(agreement['krippendorff_alpha'])}"
        for row in agreement["pairwise"]:
            yield f"  {' and '.join(row['raters'])}: Cohen's kappa {_short(row['kappa'])} over {row['n']} pairs"
    for name, one in outcome["scores"].items():
        if one["n"]:
            low, high = one["interval"]
            yield f"  the higher {name} was preferred in {one['share']:.1%} ({low:.1%} to {high:.1%}, n {one['n']})"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
