"""Scoring what is already drawn: starting the job that fills in missing numbers.

Does not score; the worker does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.config import DEFAULT_GENERATOR, DEFAULT_SCORERS
from synthvlm_ui.errors import EmptyInput, UnknownName
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.generation.generation_desk import check_scorers
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.scoring.head_desk import PREFIX, HeadDesk
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace


class ScoringDesk:
    """``studio.scoring``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def start(self, dataset: str, *, scorers: Sequence[str] = DEFAULT_SCORERS, clip_model: str = DEFAULT_GENERATOR,
              rescore: bool = False, device: str = "auto") -> str:
        """Queues the job and returns its id. Raises: UnknownName, EmptyInput, ModelUnavailable."""
        if dataset not in self._workspace.captions.datasets():
            raise UnknownName.of("dataset", dataset, self._workspace.captions.datasets())
        if not self._workspace.shards.names(dataset):
            raise EmptyInput(f"dataset {dataset!r} has no images to score", fix="Generate some first.")
        check_scorers(scorers, clip_model)
        for name in scorers:
            if name.startswith(PREFIX):
                HeadDesk(self._workspace).find(name.removeprefix(PREFIX))
        config = {"dataset": dataset, "scorers": list(scorers), "clip_model": clip_model, "rescore": rescore}
        return self._jobs.submit("score", config, resolve_device(device))

    def metrics(self, dataset: str) -> dict[str, dict[str, float]]:
        """{column: {mean, std, min, max}} over a dataset's scored candidates."""
        self._workspace.columns.refresh()
        return self._spread(rows_of(self._workspace.columns, dataset))

    def real_metrics(self, dataset: str) -> dict[str, dict[str, float]]:
        """The same over its real images; empty when it has none."""
        return self._spread(rows_of(self._workspace.columns, dataset, real=True))

    def _spread(self, rows: NDArray[np.int64]) -> dict[str, dict[str, float]]:
        found = {}
        for name in self._workspace.columns.score_columns():
            values = self._workspace.columns.score(name)[rows]
            values = values[np.isfinite(values)]
            if len(values):
                found[name] = {"mean": float(values.mean()), "std": float(values.std()),
                               "min": float(values.min()), "max": float(values.max())}
        return found

    def command(self, dataset: str, scorers: Sequence[str] = DEFAULT_SCORERS) -> str:
        return command_line(self._workspace.root, ["score", "--dataset", dataset, "--scorers", ",".join(scorers)])
