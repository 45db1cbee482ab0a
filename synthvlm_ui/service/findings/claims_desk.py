"""The papers' claims run again: starting the job, and the table as it stands.

Knows where results are kept and which table to show; the worker measures.
"""

from __future__ import annotations

from typing import Any

from synthvlm_ui.findings import FULL, Results, shipped, table, weights_key
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace


class ClaimsDesk:
    """``studio.claims``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def start(self, *, quick: bool = False) -> str:
        """Queues a run, which measures what earlier runs have not, and returns the job's id."""
        return self._jobs.submit("findings", {"quick": quick}, "cpu")

    def table(self) -> dict[str, Any]:
        """{findings, source "workspace", "shipped" or "none", seeds, machine, date, minutes}: this workspace's own
        numbers where it has any, else those that come with the program."""
        own = table(FULL, Results(self._workspace.paths.findings / weights_key() / "results"))
        seeds = max((entry["ours"]["n"] for entry in own if entry["ours"]), default=0)
        if seeds:
            return {"findings": own, "source": "workspace", "seeds": seeds}
        found = shipped()
        if found is not None:
            return {**found, "source": "shipped"}
        return {"findings": own, "source": "none", "seeds": 0}

    def job(self) -> dict[str, Any] | None:
        """The newest findings job, or None."""
        return next((job for job in self._jobs.list()["jobs"] if job["kind"] == "findings"), None)

    def command(self, *, quick: bool = False) -> str:
        """The line that does the same."""
        return command_line(self._workspace.root, ["findings", *(["--quick"] if quick else [])])
