"""A generate job under Ray: what runs in each worker's process, and how the job's process follows it.

Workspace and job directory are on a disk that every machine of the cluster sees under the same path; what a worker
says of a chunk is ids, states and scores, never pixels.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from synthvlm_ui.backends import device_watched
from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.errors import WorkspaceError
from synthvlm_ui.generation import load_plan, save_plan
from synthvlm_ui.jobs import JobContext, RayCluster, RayExecutor, connected, shape_of
from synthvlm_ui.pipeline import ChunkReport, Shown
from synthvlm_ui.service.generation.chunk_maker import ChunkMaker
from synthvlm_ui.service.generation.generate_plan import make_plan
from synthvlm_ui.service.generation.generate_run import GenerateRun
from synthvlm_ui.service.work.engines import Engines
from synthvlm_ui.store import Workspace

# Of the environment of this process, what changes how a worker of another machine works.
_PASSED_ON = ("HF_HUB_OFFLINE", "HF_HOME", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY")


class RayChunks:
    """jobs.ChunkWorker of generate jobs. Raises: WorkspaceError where the shared disk is not mounted."""

    def __init__(self, root: str, job: str, device: str) -> None:
        directory = Path(job)
        if not directory.is_dir():
            raise WorkspaceError("this machine of the cluster does not see the workspace",
                                 where=f"{os.uname().nodename}: {root}",
                                 fix="Keep the workspace on a disk that all machines mount under the same path.")
        self._workspace, self._directory = Workspace.open(Path(root), create=False), directory
        self._device = device
        self._config: dict[str, Any] = json.loads((directory / "config.json").read_text(encoding="utf-8"))["config"]
        self._engines = Engines(device)
        self._maker: ChunkMaker | None = None
        self._stop = False

    def prepare(self) -> Mapping[str, Any]:
        """Makes and saves the plan, with the generator that will draw it."""
        if load_plan(self._directory) is None:
            with device_watched(self._device, os.uname().nodename):
                generator = self._engines.generator_of(self._config["settings"])
                save_plan(make_plan(self._config, self._workspace, generator, self._engines.device), self._directory)
        return {"planned": True}

    def run_chunk(self, chunk: int) -> Mapping[str, Any]:
        """{"report", "seconds", "images": [[id, status, error_message, scores]], "engine"} of one chunk."""
        images: list[Sequence[Any]] = []
        start = time.monotonic()
        with device_watched(self._device, os.uname().nodename):
            maker = self._maker = self._maker or self._make_maker()
            report = maker.make(chunk, show=lambda shown: images.append(_said(shown)), should_stop=lambda: self._stop)
        return {"report": asdict(report), "seconds": time.monotonic() - start, "images": images,
                "engine": maker.engine}

    def stop(self) -> None:
        self._stop = True

    def _make_maker(self) -> ChunkMaker:
        plan = load_plan(self._directory)
        if plan is None:
            raise WorkspaceError("the job's plan is not there yet", where=str(self._directory),
                                 fix="Check that all machines see the same disk.")
        return ChunkMaker(self._workspace, plan, self._engines, self._config)


def run_under_ray(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Carries a generate job to its end or to the user's stop on a Ray cluster. Returns what ``run_generate`` does;
    machines that put the generator together differently are all named in ``engine``.

    Raises: Failure when the cluster cannot be reached, WorkspaceError, and what drawing raises.
    """
    cluster = RayCluster(**context.config["ray"])
    context.progress.update(0, 0, message="starting Ray" if not cluster.address else "connecting to Ray")
    with connected(cluster) as ray:
        shape = shape_of(cluster, context.config["settings"]["device"], ray.cluster_resources())
        context.log(f"Ray: up to {shape.count} workers on {shape.device}, {shape.cpus} processors each")
        open_worker = partial(RayChunks, str(workspace.root.resolve()), str(context.dir.resolve()), shape.device)
        reports = _Reports(context, workspace)
        executor = RayExecutor(ray, shape, open_worker, on_report=reports.take, before_chunk=reports.check_disk,
                               log=context.log, environment=_environment() if cluster.address else None)
        context.progress.update(0, 0, message="waiting for a worker of Ray, which loads the generator")
        if load_plan(context.dir) is None and not executor.prepare(context.progress):
            return {}
        run = reports.begin()
        executor.run(reports.chunks, context.progress)
        run.remember_rate(shape.device)
        engine = reports.engine()
        return {**run.counts(), **run.cascade(), **({"engine": engine} if engine else {})}


class _Reports:
    """Turns what workers say into the counts and live rows of the job."""

    def __init__(self, context: JobContext, workspace: Workspace) -> None:
        self._context, self._workspace = context, workspace
        self._engines: dict[str, None] = {}  # in the order in which they were first heard of

    def begin(self) -> GenerateRun:
        plan = load_plan(self._context.dir)
        if plan is None:
            raise WorkspaceError("the plan that a worker saved is not here", where=str(self._context.dir),
                                 fix="Check that all machines see the same disk.")
        self._plan = plan
        self._run = GenerateRun(self._context, self._workspace, plan)
        self.chunks = range(plan.chunk_count)
        self._run.begin(list(self.chunks))
        return self._run

    def check_disk(self) -> None:
        self._context.check_disk(self._workspace.root, self._run.chunk_bytes)

    def engine(self) -> str:
        """Of all who drew, or of who planned where nothing was left to draw."""
        return " | ".join(self._engines) or self._plan.info.engine

    def take(self, chunk: int, said: Mapping[str, Any]) -> None:
        if said["engine"] and said["engine"] not in self._engines:
            self._engines[said["engine"]] = None
            self._context.log(f"{self._plan.info.name}: {said['engine']}")
        report = ChunkReport(**said["report"])
        if report.finished:
            self._run.live.begin_chunk(chunk)
            planned = {candidate.id: candidate for candidate in self._plan.candidates(chunk)}
            for candidate_id, status, error_message, scores in said["images"]:
                candidate = replace(planned[candidate_id], status=status, error_message=error_message)
                self._run.show(Shown(candidate, None, scores))
        self._run.record(chunk, report, said["seconds"])


def _environment() -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PYTHONPATH": str(REPOSITORY), "RAY_USAGE_STATS_ENABLED": "0", **passed}


def _said(shown: Shown) -> list[Any]:
    candidate = shown.candidate
    return [candidate.id, candidate.status, candidate.error_message, dict(shown.scores)]
