"""``captions write``: captions of classes, written by a language model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import counts, follow
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, at_least, number

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

RESULT_KEYS = ("written", "rejected")


def add_to_group(group: Commands) -> None:
    parser = group.add("write", _write, "write captions by class with a language model")
    add = parser.add_argument
    add("--dataset", required=True, metavar="NAME", help="dataset to add to; made when it is new")
    add("--count", type=at_least(1), required=True, metavar="N", help="captions to write")
    add("--writer", default="miniature", metavar="NAME",
        help="a name that info lists, a Hub id, a directory, or openai:MODEL@URL (default: miniature)")
    add("--classes", metavar="FILE", help="one class name a line, or ImageNet's synset list (default: writer's own)")
    sampling = parser.add_mutually_exclusive_group()
    sampling.add_argument("--balance", dest="sampling", action="store_const", const="balanced", default="uniform",
                          help="every class equally often, instead of each draw by chance")
    sampling.add_argument("--natural", dest="sampling", action="store_const", const="natural",
                          help="classes as often as the list's frequencies say")
    add("--seed", type=at_least(0), default=0, metavar="S", help="seed of classes and texts (default: 0)")
    add("--temperature", type=number, default=1.0, metavar="T", help="0 takes the likeliest word (default: 1)")
    add("--words", metavar="MIN:MAX", help="words that a caption may have (default: 30:40, as in Synth2)")
    add("--writing-prompt", metavar="TEXT", help="prompt with [object] in it (default: that of Synth2)")
    add("--max-requests", type=at_least(1), metavar="N", help="budget: requests to a server")
    add("--max-tokens", type=at_least(1), metavar="N", help="budget: tokens of a server, prompts included")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N (default: auto)")
    add("--detach", action="store_true", help="print the job's id and do not wait for it")


def _write(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    from synthvlm_ui.service import WritingSettings

    settings = WritingSettings(**{name: getattr(options, name) for name in WritingSettings.__dataclass_fields__})
    job_id = studio.writing.start(settings)
    if options.detach:
        output.result({"job_id": job_id}, [f"job {job_id} started"])
        return
    outcome = counts(follow(studio, job_id, output), RESULT_KEYS)
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield (f"wrote {outcome['written']} captions of {outcome['classes']} classes into {outcome['dataset']}, "
           f"rejected {outcome['rejected']} (job {outcome['job_id']})")
    for title, reasons in (("rejected", outcome["reasons"]), ("asked again", outcome["asked_again"])):
        for reason, count in reasons.items():
            yield f"  {count} {title}: {reason}"
    for row in outcome["rejected_rows"]:
        yield f"  caption {row['line']}: {row['reason']}: {row['excerpt']}"
