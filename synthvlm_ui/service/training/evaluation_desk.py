"""Evaluating a finished model: on a dataset's real pairs, on texts, or through an external harness.

Queues the job; the worker measures. Knows which kinds of models there are only to choose what can be measured.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.evaluation import lmms_eval_command, read_results
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.training.training_pairs import rows_of_split
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

# Metric -> what it needs.
METRICS = {
    "cider": "a captioner; CIDEr times 100, as papers print it, over the dataset's real images",
    "retrieval": "an embedder (--model NAME or an open_clip directory); R@1, 5, 10 both ways over the real images",
    "perplexity": "a language model or a vision-language model; over the dataset's captions, or --text FILE",
}


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to measure. ``tasks`` are lm-eval's; ``limit`` is the most pictures or texts, ``split``
    keeps the real images of these splits only."""

    model: str
    dataset: str | None = None
    metrics: tuple[str, ...] = ()
    text: str | None = None
    tasks: tuple[str, ...] = ()
    include_path: str | None = None
    limit: int | None = None
    split: str | None = None


class EvaluationDesk:
    """``studio.evaluation``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def start(self, request: EvaluationRequest, device: str = "auto") -> str:
        """Queues the job and returns its id. Raises: UnknownName, EmptyInput, BadSetting."""
        if not request.metrics and not request.tasks:
            raise BadSetting("nothing to measure is named", where="--metrics",
                             fix=f"Choose from {', '.join(METRICS)}, or name --tasks of lm-eval.")
        for metric in request.metrics:
            if metric not in METRICS:
                raise UnknownName.of("metric", metric, list(METRICS))
        if request.text is not None and not Path(request.text).is_file():
            raise BadSetting("no such file", where=request.text, fix="Name a text file, one text per line.")
        if set(request.metrics) - ({"perplexity"} if request.text else set()):
            self._check_dataset(request)
        directory = Path(request.model).expanduser()
        config = asdict(request) | {"metrics": list(request.metrics), "tasks": list(request.tasks)}
        if directory.is_dir():  # which the worker could not find from where it stands, nor a table by its name
            config["model"] = str(directory.absolute())
        return self._jobs.submit("evaluate", config, resolve_device(device))

    def read(self, path: Path | str) -> dict[str, float]:
        """The numbers of a result file of lm-eval or lmms-eval. Raises: UnreadableFile."""
        return read_results(Path(path))

    def lmms_command(self, model: str, out: str) -> str:
        """The lmms-eval line for a checkpoint, to run where its environment and the pictures are."""
        return shlex.join(lmms_eval_command(Path(model), Path(out)))

    def command(self, request: EvaluationRequest) -> str:
        """The line that does the same."""
        words = ["evaluate", "--model", request.model or "DIR"]
        for flag, value in (("--dataset", request.dataset), ("--metrics", ",".join(request.metrics)),
                            ("--text", request.text), ("--tasks", ",".join(request.tasks)),
                            ("--include-path", request.include_path), ("--limit", request.limit),
                            ("--split", request.split)):
            words += [flag, str(value)] if value else []
        return command_line(self._workspace.root, words)

    def _check_dataset(self, request: EvaluationRequest) -> None:
        known: Sequence[str] = self._workspace.captions.datasets()
        if not request.dataset:
            raise BadSetting("no dataset is named", where="--dataset", fix=f"Choose one of {', '.join(known)}.")
        if request.dataset not in known:
            raise UnknownName.of("dataset", request.dataset, list(known))
        self._workspace.columns.refresh()
        pictures = {"cider", "retrieval"} & set(request.metrics)
        rows = rows_of(self._workspace.columns, request.dataset, real=True)
        if pictures and not len(rows):
            raise EmptyInput(f"dataset {request.dataset!r} has no real images",
                             fix="Import it with --images DIR, or take miniature:world-heldout.")
        if pictures and request.split:
            rows_of_split(self._workspace, request.dataset, rows, request.split)
