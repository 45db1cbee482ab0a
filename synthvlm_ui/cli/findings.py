"""``findings``: the papers' claims, run again in the small world."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

_KEYS = ("findings", "seeds", "source", "machine", "date", "minutes")
_VERDICTS = {True: "holds", False: "does not hold", None: "not measured"}


def add_to(commands: Commands) -> None:
    parser = commands.add("findings", _findings, "run the papers' claims again in the small world")
    add = parser.add_argument
    add("--quick", action="store_true", help="one seed instead of three; a full run later goes on from it")
    add("--show", action="store_true",
        help="measure nothing: print what this workspace has measured, or the table that comes with the program")
    add("--detach", action="store_true", help="print the job's id and do not wait for it")


def _findings(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    job_id = None
    if not options.show:
        job_id = studio.claims.start(quick=options.quick)
        if options.detach:
            output.result({"job_id": job_id}, [f"job {job_id} is queued"])
            return
        follow(studio, job_id, output)
    found = studio.claims.table()
    answer = {key: found[key] for key in _KEYS if key in found} | ({"job_id": job_id} if job_id else {})
    output.result(answer, _lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    for entry in found["findings"]:
        yield f"{entry['id']}  {entry['title']}: {_VERDICTS[entry['holds']]}"
        yield f"    paper  {entry['paper']}"
        if entry["ours"]:
            yield f"    here   {_ours(entry['ours'])}"
    if found["source"] == "shipped":
        yield f"measured on {found['machine']}, {found['date']}; run without --show to measure here"


def _ours(ours: Mapping[str, Any]) -> str:
    """``name: mean ± sd unit (n)``."""
    spread = "" if ours["sd"] is None else f" ± {ours['sd']:.3g}"
    return f"{ours['name']}: {ours['mean']:.3g}{spread} {ours['unit']} (n = {ours['n']})"
