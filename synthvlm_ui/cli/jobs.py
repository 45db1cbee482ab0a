"""``jobs``: work that goes on without a terminal or a browser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output, duration, table
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("jobs", "jobs of the workspace")
    group.add("list", _list, "all jobs, newest first", needs="existing")
    show = group.add("show", _show, "one job, with its settings and the end of its log", needs="existing")
    show.add_argument("--follow", action="store_true", help="wait until it ends")
    stop = group.add("stop", _stop, "stop a job after the image it is drawing")
    resume = group.add("resume", _resume, "continue a job that was stopped, failed or crashed")
    for parser in (show, stop, resume):
        parser.add_argument("id", metavar="ID")


def _list(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    _print(studio.jobs.list(), output)


def _stop(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    _print(studio.jobs.stop(options.id), output)


def _resume(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    _print(studio.jobs.resume(options.id), output)


def _show(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    if options.follow:
        follow(studio, options.id, output)
    job = studio.jobs.show(options.id)
    output.result({"jobs": [job]}, _details(job))


def _details(job: Mapping[str, Any]) -> Iterator[str]:
    for name, value in job.items():
        if name not in ("log", "config"):
            yield f"{name:10} {value}"
    for name, value in job.get("config", {}).items():
        yield f"config.{name} {value}"
    yield from (str(line) for line in job.get("log", ()))


def _print(outcome: Mapping[str, Any], output: Output) -> None:
    rows = [("id", "kind", "state", "done", "eta", "message")]
    for job in outcome["jobs"]:
        eta = "-" if job["eta_s"] is None else duration(job["eta_s"])
        message = " ".join(str(job.get("message") or "").split())
        rows.append((job["id"], job["kind"], job["state"], f"{job['progress']:.0%}", eta, message))
    output.result(outcome, table(rows) if len(rows) > 1 else ["no jobs yet"])
