"""``select``: a named rule and the candidates it keeps."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands
from synthvlm_ui.cli.rule_options import add_rule_options, rule_given
from synthvlm_ui.errors import BadSetting

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    parser = commands.add("select", _select, "keep the candidates that a rule chooses, under a name")
    add = parser.add_argument
    add("--dataset", required=True, metavar="NAME", help="a dataset, several with commas, or '*' for all")
    add("--name", metavar="SELECTION", help="name of the selection; replaces one of the same name")
    add("--dry-run", action="store_true", help="only say what the rule would keep, per dataset and cluster")
    add_rule_options(parser)


def _select(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    rule = studio.curation.rule(dataset=options.dataset, **rule_given(options))
    if options.dry_run:
        outcome = {**studio.curation.yield_of(rule), "thresholds": studio.curation.thresholds(rule),
                   "datasets": studio.insight.datasets(rule),
                   "entropy": studio.insight.entropy(rule), "statistics": studio.insight.statistics(rule),
                   "judged": studio.insight.judged(rule)}
        output.result(outcome, _preview(outcome))
        return
    if options.name is None:
        raise BadSetting("the selection has no name", where="--name", fix="Give --name SELECTION, or --dry-run.")
    outcome = studio.curation.select(options.name, rule)
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield (f"{outcome['name']}: kept {outcome['kept']} of {outcome['total']} candidates, "
           f"{outcome['captions_kept']} captions")
    yield from _thresholds(outcome)
    yield f"ids, best first: {outcome['ids_file']}"


def _thresholds(outcome: Mapping[str, Any]) -> Iterator[str]:
    for name, value in outcome["thresholds"].items():
        if value is not None:
            yield f"  {name} >= {value:.6g}"


def _preview(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield (f"would keep {outcome['kept']} of {outcome['total']} candidates ({outcome['kept_share']:.1%}), "
           f"{outcome['captions_kept']} of {outcome['captions_total']} captions")
    yield from _thresholds(outcome)
    yield from table([(row["name"], f"{row['kept']} of {row['total']}", f"{row['kept_share']:.1%}")
                      for row in outcome["datasets"]])
    for name, share in outcome["variance_share"].items():
        yield f"  {name}: {share:.1%} of the ranking's variance"
    if outcome["entropy"]:
        yield f"  entropy {outcome['entropy']['bits']:.3f} of {outcome['entropy']['max_bits']:.3f} bits over clusters"
    judged = outcome["judged"]
    for word in ("precision", "recall"):
        if judged[word]:
            found = judged[word]
            yield f"  {word} {found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%}, {found['n']} by hand)"
    if judged["cut"]:
        yield f"  suggested --combined-min {judged['cut']['value']:.6g} (F1 {judged['cut']['f1']:.3f})"
