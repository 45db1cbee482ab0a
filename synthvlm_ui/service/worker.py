"""The worker process: ``python -m synthvlm_ui.service.worker --workspace DIR --device cpu``.

Joins the queue of one device (jobs) to what a job of each kind does (the *_job modules). Started detached by whoever
queues a job; keeps its models warm and leaves when there has been nothing to do for a while.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.backends import device_watched
from synthvlm_ui.config import WORKER_IDLE_S, environment
from synthvlm_ui.jobs import JobContext, Worker, ensure_worker
from synthvlm_ui.service.generation.placement import device_of_queue, is_share
from synthvlm_ui.store import Workspace

_SHARE_IDLE_S = 2.0
Handler = Callable[[JobContext], Mapping[str, Any]]


def main(arguments: list[str] | None = None) -> None:
    """Serves the queue until idle."""
    parser = argparse.ArgumentParser(prog="python -m synthvlm_ui.service.worker", description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, help="leave after so many jobs")
    parser.add_argument("--idle-s", type=float, help="leave when there was nothing to do for so long")
    options = parser.parse_args(arguments)
    workspace = Workspace.open(options.workspace, create=False)
    handlers = _Handlers(workspace, device_of_queue(options.device))
    idle_s = float(environment("WORKER_IDLE_S", str(_SHARE_IDLE_S if is_share(options.device) else WORKER_IDLE_S)))
    idle_s = idle_s if options.idle_s is None else options.idle_s
    device = device_of_queue(options.device)
    watched = {kind: _watched(handler, device) for kind, handler in handlers.table().items()}
    worker = Worker(workspace.paths.jobs, options.device, watched, idle_s, most_jobs=options.jobs)
    worker.run()
    if worker.device_lost and options.jobs is None and worker.jobs.queued(options.device):
        # Each worker ends at least one job, so that they come to an end even if the device never comes back.
        ensure_worker(worker.jobs.path, options.device, [sys.executable, "-m", "synthvlm_ui.service.worker",
                                                         *(sys.argv[1:] if arguments is None else arguments)])


def serve_here(root: Path, queue: str, most_jobs: int | None = None) -> None:
    """Serves the queue of a card that is lent to this very process, in a thread of it; one thread a queue.

    For a moment two threads may be up, as two processes may: the queue's lock lets one of them work.
    """
    def work() -> None:
        workspace = Workspace.open(root, create=False)
        handlers = _Handlers(workspace, "cpu", lent_card=device_of_queue(queue)).table()
        Worker(workspace.paths.jobs, queue, handlers, _SHARE_IDLE_S, most_jobs=most_jobs).run()

    threading.Thread(target=work, name=f"queue {queue}", daemon=True).start()


def _watched(handler: Handler, device: str) -> Handler:
    """The handler, in which a failure of the device ends the job as one: this process then leaves, since only a new
    one gets the device back."""
    def run(context: JobContext) -> Mapping[str, Any]:
        with device_watched(device, f"job {context.id}"):
            return handler(context)

    return run


class _Handlers:
    """One method per kind of job; the engines, and with them torch, are imported by the first job that needs them."""

    def __init__(self, workspace: Workspace, device: str, lent_card: str | None = None) -> None:
        self._workspace, self._device, self._lent_card = workspace, device, lent_card
        self._engines: Any = None

    def table(self) -> dict[str, Handler]:
        """What this worker can do, by kind of job."""
        return {
            "generate": self.generate,
            "score": self.score,
            "real-images": self.real_images,
            "import-hub": self.import_hub,
            "write": self.write,
            "curate": self.curate,
            "diversity": self.diversity,
            "diversity-map": self.diversity_map,
            "fill-gaps": self.fill_gaps,
            "export": self.export,
            "train": self.train,
            "evaluate": self.evaluate,
            "compare": self.compare,
            "judge": self.judge,
            "findings": self.findings,
            "head": self.head,
        }

    def generate(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.generation.generate_job import run_generate

        return run_generate(context, self._workspace, self._load())

    def score(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.scoring.score_job import run_score

        return run_score(context, self._workspace, self._load())

    def real_images(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.real_images.real_images_job import run_real_images

        return run_real_images(context, self._workspace)

    def import_hub(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.captions.hub_desk import run_hub_import

        return run_hub_import(context, self._workspace)

    def evaluate(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.training.evaluation_job import run_evaluate

        return run_evaluate(context, self._workspace, self._load())

    def export(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.export.export_job import run_export

        return run_export(context, self._workspace)

    def write(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.captions.write_job import run_write

        return run_write(context, self._workspace, self._load().writer)

    def curate(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.captions.curate_job import run_curate

        return run_curate(context, self._workspace, lambda name: self._load().writer(name))

    def diversity(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.diversity.diversity_job import run_diversity

        return run_diversity(context, self._workspace, self._load)

    def train(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.training.train_job import run_train

        self._engines = None  # training wants the memory that a warm generator holds
        return run_train(context, self._workspace)

    def compare(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.comparison.comparison_job import run_compare

        return run_compare(context, self._workspace, self._load())

    def judge(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.comparison.judge_job import run_judge

        return run_judge(context, self._workspace, self._device)

    def findings(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.findings.claims_job import run_findings

        self._engines = None  # it opens models of its own
        return run_findings(context, self._workspace)

    def head(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.scoring.head_job import run_head

        return run_head(context, self._workspace)

    def diversity_map(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.diversity.diversity_map import run_diversity_map

        return run_diversity_map(context, self._workspace, self._load)

    def fill_gaps(self, context: JobContext) -> Mapping[str, Any]:
        from synthvlm_ui.service.diversity.fill_gaps_job import run_fill_gaps

        return run_fill_gaps(context, self._workspace, lambda name: self._load().writer(name),
                             lambda name: self._load().text_embedder(name))

    def _load(self) -> Any:
        if self._engines is None:
            from synthvlm_ui.service.work.engines import Engines

            self._engines = Engines(self._device, self._lent_card)
        return self._engines


if __name__ == "__main__":
    main()
