"""``find``: candidates by rule, by words, by meaning, by likeness; ``views``: saved views and links."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, Parser, at_least
from synthvlm_ui.cli.rule_options import add_rule_options, add_shown_options, state_given

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

MOST_ROWS = 500
_SHOWN_CHARACTERS = 70


def add_to(commands: Commands) -> None:
    parser = commands.add("find", _find, "list candidates: what a rule keeps or drops, what a search finds, one by id",
                          needs="existing")
    parser.add_argument("--id", metavar="ID", help="every fact of one candidate, and those most like it")
    parser.add_argument("--view", metavar="NAME", help="start from a saved view")
    parser.add_argument("--link", metavar="QUERY", help="start from the part of a link after #curate?")
    _add_state_options(parser)
    group = commands.group("views", "saved views of candidates and links to them")
    group.add("list", _list, "the saved views", needs="existing")
    parser = group.add("save", _save, "save what is looked at under a name")
    parser.add_argument("name", metavar="NAME")
    _add_state_options(parser)
    parser = group.add("delete", _delete, "take a view off the list")
    parser.add_argument("name", metavar="NAME")
    parser = group.add("link", _link, "the link and the command that open a view again", needs="existing")
    parser.add_argument("--view", metavar="NAME", help="a saved view")
    _add_state_options(parser)


def _add_state_options(parser: Parser) -> None:
    parser.add_argument("--dataset", metavar="NAME", help="a dataset, several with commas, or '*' for all")
    add_shown_options(parser)
    parser.add_argument("--offset", type=at_least(0), metavar="N", help="leave so many out at the start")
    parser.add_argument("--limit", type=at_least(1), metavar="N", help=f"at most N, up to {MOST_ROWS} (default: 48)")
    add_rule_options(parser)


def _find(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    if options.id:
        outcome = {**studio.candidates.candidate(options.id), **studio.candidates.neighbours(options.id)}
        output.result(outcome, _facts(outcome))
        return
    state = state_given(options, studio)
    rule = studio.curation.rule(**{"dataset": "", **state.rule})
    outcome = studio.curation.page(rule, offset=state.offset, limit=state.limit, show=state.show, order=state.order,
                                   find=state.find)
    outcome["command"] = studio.saved_views.link(state)["command"]
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield f"{len(outcome['items'])} of {outcome['total']} from {outcome['offset']}"
    marks = {1: "keep", -1: "reject", 0: ""}
    yield from table([(item["id"], _number(item["clip_cosine"]), _number(item["ssim"]), _number(item["combined"]),
                       _number(item["similarity"]), marks[item["verdict"]],
                       " ".join(item["caption"].split())[:_SHOWN_CHARACTERS]) for item in outcome["items"]])


def _facts(outcome: Mapping[str, Any]) -> Iterator[str]:
    for name, value in outcome.items():
        if name == "neighbours":
            yield from (f"near {item['similarity']:.4f} {item['id']} {item['caption']}" for item in value)
        elif not isinstance(value, list | dict):
            yield f"{name}: {value}"
    for name, value in outcome["scores"].items():
        yield f"{name}: {value}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _list(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.saved_views.list()
    output.result(outcome, table([(view["name"], view["actor"], view["at"], view["query"])
                                  for view in outcome["views"]]))


def _save(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.saved_views.save(options.name, state_given(options, studio))
    output.result(outcome, [f"{outcome['name']}: {outcome['query']}"])


def _delete(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.saved_views.delete(options.name)
    output.result(outcome, [f"{outcome['name']} is off the list"])


def _link(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.saved_views.link(state_given(options, studio))
    output.result(outcome, [f"#curate?{outcome['query']}", outcome["command"]])
