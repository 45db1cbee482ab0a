"""``captions curate``, ``captions report`` and ``captions verdict``: which captions are good enough, and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, at_least, names, number
from synthvlm_ui.cli.verdict import ids_of_file

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

PRESETS = ("synthvlm", "plain")


def add_to(group: Commands) -> None:
    """The commands that curate, in the group ``captions``."""
    parser = group.add("curate", _curate, "apply rules to the captions of a dataset; nothing is deleted")
    parser.add_argument("--dataset", required=True, metavar="NAME")
    _add_rules(parser)
    parser.add_argument("--detach", action="store_true", help="print the job's id and do not wait for it")
    parser = group.add("report", _report, "what the curation did: survivors per rule, examples", needs="existing")
    parser.add_argument("--dataset", required=True, metavar="NAME")
    parser.add_argument("--rule", default="", metavar="RULE", help="examples of what this rule rejected")
    parser.add_argument("--show", choices=("rejected", "kept", "by_hand", "all"), default="rejected",
                        help="which captions to show as examples (default: rejected)")
    parser.add_argument("--limit", type=at_least(1), default=10, metavar="N", help="at most N examples (default: 10)")
    parser = group.add("verdict", _verdict, "keep or reject captions by hand, above every rule")
    parser.add_argument("verdict", choices=("keep", "reject", "clear"))
    parser.add_argument("--dataset", required=True, metavar="NAME")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ids", type=names, metavar="A,B,...", help="caption ids with commas")
    which.add_argument("--ids-file", type=Path, metavar="FILE", help="one caption id per line")
    which.add_argument("--rejected-by", metavar="RULE", help="every caption that this rule rejected")


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", choices=PRESETS, default="synthvlm", help="rules to begin with (default: synthvlm)")
    parser.add_argument("--set", action="append", default=[], metavar="RULE.PARAM=VALUE", dest="changes",
                        help="change a rule, as in tokens.max=77, near_duplicates=on, special_characters.min=none; "
                             "may be given again")
    parser.add_argument("--calibrate", type=_percentiles, metavar="LOW,HIGH",
                        help="put the limits at two percentiles of the captions' own statistics, as in 1,99")


def _percentiles(text: str) -> tuple[float, float]:
    low, comma, high = text.partition(",")
    if not comma:
        raise argparse.ArgumentTypeError(f"{text!r} is not two numbers with a comma")
    return number(low), number(high)


def _curate(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    desk = studio.caption_curation
    settings = desk.settings(options.preset, options.changes)
    if options.calibrate:
        settings = desk.calibrate(options.dataset, settings, *options.calibrate)
    if not options.detach and not desk.needs_job(options.dataset, settings):
        outcome = desk.curate(options.dataset, settings)
        output.result(outcome, _lines(outcome))
        return
    job_id = desk.start(options.dataset, settings)
    if options.detach:
        output.result({"job_id": job_id}, [f"job {job_id} started"])
        return
    job = follow(studio, job_id, output)
    outcome = {**desk.report(options.dataset), "failed": (job.get("result") or {}).get("failed", 0), "job_id": job_id}
    output.result(outcome, _lines(outcome))


def _report(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    desk = studio.caption_curation
    outcome = desk.report(options.dataset)
    settings = desk.settings_of(outcome)
    found = desk.examples(options.dataset, settings, rule=options.rule, show=options.show, limit=options.limit)
    outcome = {**outcome, "examples": found}
    output.result(outcome, [*_lines(outcome), *_example_lines(found["items"])])


def _verdict(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    desk = studio.caption_curation
    if options.rejected_by is not None:
        ids = desk.rejected_ids(options.dataset, options.rejected_by)
    else:
        ids = list(options.ids) if options.ids is not None else ids_of_file(options.ids_file)
    outcome = desk.verdict(options.dataset, ids, options.verdict)
    output.result(outcome, [f"{options.verdict}: {outcome['changed']} captions changed (event {outcome['event_id']}); "
                            f"{outcome['kept']} of {outcome['captions']} kept"])


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    counted = f"kept {outcome['kept']} of {outcome['total']} captions"
    yield f"{counted} of {outcome['dataset']}, rejected {outcome['rejected']}"
    rows = [("rule", "limits", "entered", "rejected", "left")]
    notes = []
    for step in outcome["steps"]:
        if step["unavailable"]:
            notes.append(f"  not applied: {step['rule']}: {step['unavailable']}")
            continue
        limits = " ".join(f"{name} {value}" for name, value in step["limits"].items())
        rows.append((step["rule"], limits, str(step["entered"]), str(step["rejected"]), str(step["left"])))
    yield from (f"  {line}" for line in table(rows))
    yield from notes
    shown = "; ".join(f"{name} keeps {preset['kept']}" for name, preset in outcome["presets"].items())
    yield f"  presets on these captions: {shown}"


def _example_lines(items: list[Mapping[str, Any]]) -> Iterator[str]:
    for item in items:
        value = "" if item["value"] is None else f" {item['value']:.4g}"
        yield f"{item['id']}  {item['rejected_by'] or 'kept'}{value}  {_marked(item['caption'], item['marks'])}"


def _marked(text: str, marks: list[tuple[int, int]]) -> str:
    """The caption with what the rule minds in square brackets of its own kind."""
    parts, last = [], 0
    for start, end in marks:
        parts += [text[last:start], "⟦", text[start:end], "⟧"]
        last = end
    return " ".join("".join([*parts, text[last:]]).split())
