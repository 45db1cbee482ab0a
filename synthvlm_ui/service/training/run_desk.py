"""A table over trainings: what each was trained on, how it went, and what it can do since.

The job directories are the truth; nothing is stored beside them. A run is an output directory: resuming it with a new
job goes on in the same row. Never imports torch.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.errors import UnknownName
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

_LAST_LOSSES = 20


class RunDesk:
    """``studio.runs``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs
        self._entropies: dict[str, dict[tuple[str, str], float]] = {}

    def list(self) -> dict[str, Any]:
        """{runs: [{job_id, out, recipe, state, sources, pairs, steps, loss, metrics, ...}]}, newest first."""
        jobs = self._jobs.list()["jobs"]
        rows: dict[str, dict[str, Any]] = {}
        for job in jobs:
            if job["kind"] == "train":
                config = self._jobs.config(job["id"])
                if config["out"] in rows:
                    rows[config["out"]]["earlier"].append(job["id"])
                else:
                    rows[config["out"]] = self._row(job, config)
        for job in reversed(jobs):  # the newest measurement of a metric is the one that stands
            if job["kind"] == "evaluate":
                self._add_evaluation(rows, job)
        return {"runs": list(rows.values())}

    def show(self, job_id: str) -> dict[str, Any]:
        """One row, with the command that made it and the curve of its loss. Raises: UnknownName."""
        runs = self.list()["runs"]
        row = next((row for row in runs if job_id in (row["job_id"], *row["earlier"])), None)
        if row is None:
            raise UnknownName.of("training", job_id, [one["job_id"] for one in runs])
        return {**row, "command": self._jobs.config(row["job_id"]).get("command", ""), "curve": self.curve(row)}

    def curve(self, row: Mapping[str, Any], after_step: int = 0) -> builtins.list[dict[str, Any]]:
        """The numbers of each step after ``after_step`` once, over all jobs of the run: what a kill cost and was done
        again replaces what it was."""
        found: dict[int, dict[str, Any]] = {}
        for job_id in (*reversed(row["earlier"]), row["job_id"]):
            for numbers in self._jobs.metrics(job_id):
                step = numbers.get("step")
                if isinstance(step, int) and step > after_step:
                    found[step] = numbers
        return [found[step] for step in sorted(found)]

    def progress(self, job_id: str, after_step: int = 0) -> dict[str, Any]:
        """How far a run is and the numbers since a step, for a page that watches it. Raises: UnknownName."""
        row = self._row_alone(job_id)
        return {"run": row, "rows": self.curve(row, after_step)}

    def _row_alone(self, job_id: str) -> dict[str, Any]:
        """The row of a job alone, without its evaluations. Raises: UnknownName."""
        job = self._jobs.show(job_id)
        if job["kind"] != "train":
            raise UnknownName(f"job {job_id} is no training", fix="Name one that `runs list` shows.")
        row = self._row(job, job["config"])
        row["earlier"] = [other["id"] for other in self._jobs.list()["jobs"]
                          if other["kind"] == "train" and other["id"] < job_id
                          and self._jobs.config(other["id"])["out"] == row["out"]]
        return row

    def _row(self, job: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
        last = self._jobs.last_metrics(job["id"], _LAST_LOSSES)
        losses = [row["loss"] for row in last if isinstance(row.get("loss"), int | float)]
        result = job["result"] or {}
        sources = [{**source, "entropy_bits": self._entropy(source)} for source in config.get("sources") or ()]
        rates = [row["steps_per_s"] for row in last if row.get("steps_per_s")]
        return {
            "job_id": job["id"], "out": config["out"], "name": Path(config["out"]).name, "recipe": config["recipe"],
            "configuration": config.get("configuration_name") or config.get("configuration"), "state": job["state"],
            "message": job["message"], "device": job["device"], "created": job["created"], "eta_s": job["eta_s"],
            "sources": sources, "pairs": config.get("pairs"), "steps": result.get("steps") or job["done"],
            "max_steps": config.get("steps") or job["total"], "progress": job["progress"],
            "loss": result.get("final_loss", float(np.mean(losses)) if losses else None),
            "steps_per_s": rates[-1] if rates else None, "on_the_fly": bool(config.get("on_the_fly")),
            "feed_s": last[-1].get("feed_s") if last else None, "metrics": {}, "evaluations": [], "earlier": [],
        }

    def _add_evaluation(self, rows: Mapping[str, dict[str, Any]], job: Mapping[str, Any]) -> None:
        config = self._jobs.config(job["id"])
        row = rows.get(str(config.get("model")))
        if row is None:
            return
        metrics = dict((job["result"] or {}).get("metrics") or {})
        row["evaluations"].append({"job_id": job["id"], "state": job["state"], "dataset": config.get("dataset"),
                                   "metrics": metrics, "message": job["message"]})
        row["metrics"].update(metrics)

    def _entropy(self, source: Mapping[str, Any]) -> float | None:
        """Of the newest diversity run that measured the selection, or the real images."""
        key = (str(source["kind"]), str(source["name"]))
        for run in reversed(self._workspace.clusterings.runs()):
            if run not in self._entropies:
                report = self._workspace.clusterings.report(run)
                kinds = {one["name"]: (str(one["kind"]), one["name"].removesuffix(f" ({one['kind']})"))
                         for one in report["sets"]}
                self._entropies[run] = {kinds[name]: float(found["entropy_bits"])
                                        for name, found in report["datasets"].items() if name in kinds}
            if key in self._entropies[run]:
                return self._entropies[run][key]
        return None
