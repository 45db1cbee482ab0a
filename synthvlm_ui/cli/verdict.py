"""``verdict``: what a person decided about candidates, which no rule overrides."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, at_least, names
from synthvlm_ui.cli.rule_options import add_rule_options, add_shown_options, rule_given, state_given
from synthvlm_ui.errors import EmptyInput, UnreadableFile

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("verdict", "keep or reject candidates by hand")
    parser = group.add("set", _set, "keep, reject or clear candidates")
    parser.add_argument("verdict", choices=("keep", "reject", "clear"))
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ids", type=names, metavar="A,B,...", help="candidate ids with commas")
    which.add_argument("--ids-file", type=Path, metavar="FILE", help="one candidate id per line")
    which.add_argument("--selection", metavar="NAME", help="every candidate of a selection")
    which.add_argument("--view", metavar="NAME", help="everything that a saved view shows, as one act")
    which.add_argument("--dataset", metavar="NAME", help="everything that the options below show, as one act")
    parser.add_argument("--expected", type=at_least(1), metavar="N", help="only if it is exactly N candidates")
    add_shown_options(parser)
    add_rule_options(parser)
    for name, run, summary in (("undo", _undo, "take the last verdict back"),
                               ("redo", _redo, "set the verdict again that was taken back")):
        group.add(name, run, summary).add_argument("--actor", metavar="NAME", help="whose (default: your own)")
    parser = group.add("judge", _judge, "how well a rule agrees with the verdicts given by hand", needs="existing")
    parser.add_argument("--dataset", required=True, metavar="NAME")
    add_rule_options(parser)
    parser = group.add("list", _list, "what was decided, newest first", needs="existing")
    parser.add_argument("--limit", type=at_least(1), default=50, metavar="N", help="at most N events (default: 50)")


def _set(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    if options.view is not None or options.dataset is not None:
        state = state_given(options, studio)
        rule = studio.curation.rule(**{"dataset": "", **state.rule})
        outcome = studio.verdicts.verdict_on_all(rule, state.find, state.show, options.verdict,
                                                 expected=options.expected)
    else:
        outcome = studio.curation.verdict(_ids(options, studio), options.verdict)
    line = f"{options.verdict}: {outcome['changed']} candidates changed (event {outcome['event_id']})"
    output.result(outcome, [line])


def _ids(options: argparse.Namespace, studio: Studio) -> list[str]:
    if options.ids is not None:
        return list(options.ids)
    if options.selection is not None:
        return list(studio.curation.selection_ids(options.selection))
    return ids_of_file(options.ids_file)


def ids_of_file(path: Path) -> list[str]:
    """The ids in a text file, one per line. Raises: UnreadableFile, EmptyInput."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UnreadableFile(f"the ids cannot be read: {reason}", where=str(path),
                             fix="Give a text file with one id per line.") from error
    ids = text.split()
    if not ids:
        raise EmptyInput("the file holds no id", where=str(path), fix="Give a text file with one id per line.")
    return ids


def _undo(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    _report(studio.verdicts.undo(options.actor), "undone", output)


def _redo(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    _report(studio.verdicts.redo(options.actor), "redone", output)


def _judge(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.insight.judged(studio.curation.rule(dataset=options.dataset, **rule_given(options)))
    lines = [f"{outcome['keep']} kept and {outcome['reject']} rejected by hand"]
    for word in ("precision", "recall"):
        if (found := outcome[word]) is not None:
            lines.append(f"{word} {found['value']:.1%} (95 %: {found['low']:.1%} to {found['high']:.1%})")
    cut = outcome["cut"]
    lines.append(f"suggested --combined-min {cut['value']:.6g}: precision {cut['precision']:.1%}, recall "
                 f"{cut['recall']:.1%}, keeps {cut['kept']}" if cut else outcome["needs"])
    output.result(outcome, lines)


def _report(outcome: dict[str, Any], word: str, output: Output) -> None:
    what = outcome.get(word)
    line = f"{word}: {what} ({outcome['changed']} candidates changed)" if what else f"nothing to be {word}"
    output.result(outcome, [line])


def _list(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.curation.events(options.limit)
    rows = [tuple(" ".join(str(value).split()) for value in event.values()) for event in outcome["events"]]
    output.result(outcome, table(rows))
