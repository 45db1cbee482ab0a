"""The job that runs the papers' claims again in the small world. Runs in a worker; what is measured is kept at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthvlm_ui.findings import FULL, QUICK, table, tasks_of, weights_key
from synthvlm_ui.jobs import JobContext, JobStopped
from synthvlm_ui.store import Workspace


def run_findings(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Measures what is missing and returns {findings, seeds}. Raises: JobStopped, DiskFull."""
    from synthvlm_ui.findings.laboratory import Laboratory

    plan = QUICK if context.config["quick"] else FULL
    tasks, finished = tasks_of(plan), 0

    def told(what: str, done: int, total: int) -> None:
        context.progress.update(finished, len(tasks), message=f"{what} ({done} of {total})")
        if context.progress.should_stop():
            raise JobStopped

    context.check_disk(workspace.root, 0)
    laboratory = Laboratory(workspace.paths.findings / weights_key(), plan, told)
    for seed, task in tasks:
        numbers = laboratory.result(task, seed)
        finished += 1
        context.metrics({"kind": "task", "seed": seed, "task": task.described(), "numbers": numbers})
        told(task.described(), 1, 1)
    return {"findings": table(plan, laboratory.results), "seeds": plan.seeds}
