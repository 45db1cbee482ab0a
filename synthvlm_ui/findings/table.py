"""The table of findings from whatever results there are. Imports no torch: the browser's process reads it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from synthvlm_ui.config import ASSETS
from synthvlm_ui.findings.claims import FINDINGS, Finding
from synthvlm_ui.findings.claims.finding import described
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.tasks import Results, Task

SHIPPED = ASSETS / "findings.json"


def table(plan: Plan, results: Results) -> list[dict[str, Any]]:
    """{id, title, claim, paper, criterion, ours {name, unit, paper, mean, sd, n} or None, holds or None, rows} of every
    finding; from the seeds whose tasks are all done."""
    return [_entry(finding, plan, results) for finding in FINDINGS]


def tasks_of(plan: Plan) -> list[tuple[int, Task]]:
    """(seed, task) of all findings without repetition: all of one seed before the next, so that every finding has a
    first number early."""
    distinct = dict.fromkeys(task for finding in FINDINGS for task in finding.tasks(plan).values())
    return [(seed, task) for seed in range(plan.seeds) for task in distinct]


def shipped() -> dict[str, Any] | None:
    """The table that comes with the program: {findings, seeds, machine, date, minutes}, or None."""
    try:
        found: dict[str, Any] = json.loads(SHIPPED.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _entry(finding: Finding, plan: Plan, results: Results) -> dict[str, Any]:
    tasks = finding.tasks(plan)
    entry: dict[str, Any] = {"id": finding.id, "title": finding.title, "claim": finding.claim, "paper": finding.paper,
                             "criterion": finding.criterion, "ours": None, "holds": None, "rows": []}
    measured = [numbers for seed in range(plan.seeds) if (numbers := _of_seed(tasks, plan, results, seed)) is not None]
    if not measured:
        return entry
    judged = finding.judge(measured)
    return entry | {"ours": described(judged.headline), "holds": judged.holds,
                    "rows": [described(row) for row in judged.rows]}


def _of_seed(tasks: Mapping[str, Task], plan: Plan, results: Results, seed: int) -> dict[str, Any] | None:
    numbers = {name: results.get(task, plan, seed) for name, task in tasks.items()}
    return None if any(value is None for value in numbers.values()) else numbers
