"""Waiting for a job in the terminal: the job is a process of its own and never depends on this one.

Knows how a job looks to a person; knows no kind of job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import PROGRAM
from synthvlm_ui.errors import Failure

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


class Detached(Exception):
    """The user stopped waiting (Ctrl-C); the job goes on."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(job_id)


def follow(studio: Studio, job_id: str, output: Output) -> Mapping[str, Any]:
    """Shows progress until the job ends and returns its summary.

    Raises Detached on Ctrl-C, the job's own error when it failed, Failure when somebody stopped it.
    """
    line = output.progress()
    try:
        job = studio.jobs.follow(job_id, line.update)
    except KeyboardInterrupt:
        line.close()
        _say_how_to_return(job_id, output)
        raise Detached(job_id) from None
    finally:
        line.close()
    if job["state"] != "done":
        fix = f"Continue it with: {PROGRAM} jobs resume {job_id}"
        raise Failure(f"the job is {job['state']}", where=job_id, fix=fix)
    return job


def counts(job: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The named results of a job, 0 where it has none yet, and its id."""
    result = job.get("result") or {}
    return {**{key: result.get(key, 0) for key in keys}, **result, "job_id": job["id"]}


def _say_how_to_return(job_id: str, output: Output) -> None:
    output.note(f"job {job_id} goes on without this terminal")
    output.note(f"  watch it: {PROGRAM} jobs show {job_id} --follow")
    output.note(f"  stop it:  {PROGRAM} jobs stop {job_id}")
