"""Chunks under Ray: one worker for each card (or for some processors), which takes a chunk, makes it and says so.

What passes through Ray are chunk numbers and small reports; the worker reads and writes the shared disk itself. A chunk
whose worker died is given to another, which is safe, since the renamed shard is the record that it is done.
Knows nothing of what a chunk is.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from synthvlm_ui.errors import DeviceLost, SynthVLMError, WorkerDied
from synthvlm_ui.jobs.job_files import error_from_json, error_to_json
from synthvlm_ui.jobs.ray_cluster import WorkerShape

if TYPE_CHECKING:
    from synthvlm_ui.protocols import Progress

MAX_ATTEMPTS = 3
_POLL_S = 0.2
_STOP_PATIENCE_S = 60.0
Report = Mapping[str, Any]


class ChunkWorker(Protocol):
    """What runs in a worker's process. ``prepare`` and ``run_chunk`` return plain small values."""

    def prepare(self) -> Report: ...

    def run_chunk(self, chunk: int) -> Report: ...

    def stop(self) -> None: ...


class RayExecutor:
    """protocols.Executor on the workers of a connected cluster.

    ``open_worker`` is pickled and called in each worker's process. ``on_report`` gets each finished chunk's report
    here; ``before_chunk`` may wait (for room on the disk) or raise. ``environment`` is added to that of the workers.
    """

    def __init__(self, ray: Any, shape: WorkerShape, open_worker: Callable[[], ChunkWorker], *,
                 on_report: Callable[[int, Report], None], before_chunk: Callable[[], None] = lambda: None,
                 log: Callable[[str], None] = lambda text: None, environment: Mapping[str, str] | None = None) -> None:
        self._ray, self._shape = ray, shape
        self._on_report, self._before_chunk, self._log = on_report, before_chunk, log
        options: dict[str, Any] = {"num_cpus": shape.cpus, "num_gpus": shape.gpus, "max_restarts": 0,
                                   "max_concurrency": 2}  # so that a stop is heard while a chunk is being made
        if environment:
            options["runtime_env"] = {"env_vars": dict(environment)}
        self._actor_class, self._open_worker = ray.remote(_Actor).options(**options), open_worker
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Any, int]] = {}
        self._attempts: Counter[int] = Counter()
        self._failed_starts = 0

    def prepare(self, progress: Progress) -> Report:
        """Has the first worker that is up prepare the work, and returns what it says; {} when stopped before that."""
        self._start_worker()
        while not self._idle:
            if progress.should_stop():
                return {}
            self._welcome(_POLL_S)
        return self._answer(self._ray.get(self._idle[0].prepare.remote()))

    def run(self, chunks: Sequence[int], progress: Progress) -> None:
        """Returns early when asked to stop. Raises: the error of a chunk; WorkerDied for one that kills its workers."""
        waiting = deque(chunks)
        for _ in range(min(self._shape.count, len(waiting)) - len(self._starting) - len(self._idle)):
            self._start_worker()
        while waiting or self._running:
            if progress.should_stop():
                self._stop()
                return
            self._welcome(0)
            while waiting and self._idle:
                self._before_chunk()
                actor, chunk = self._idle.pop(), waiting.popleft()
                self._running[actor.run_chunk.remote(chunk)] = actor, chunk
            self._collect(waiting)

    def _start_worker(self) -> None:
        actor = self._actor_class.remote(self._open_worker)
        self._starting[actor.ready.remote()] = actor

    def _welcome(self, timeout_s: float) -> None:
        """Takes in the workers that are up: one that Ray has no place for never holds a chunk back."""
        if not self._starting:
            return
        for ref in self._ray.wait(list(self._starting), num_returns=1, timeout=timeout_s)[0]:
            actor = self._starting.pop(ref)
            try:
                where = self._ray.get(ref)
            except self._ray.exceptions.RayActorError as error:
                self._failed_starts += 1
                if self._failed_starts > MAX_ATTEMPTS:
                    raise WorkerDied("Ray's workers end before they are up", where=_first_line(error),
                                     fix="Read Ray's logs in /tmp/ray/session_latest/logs.") from error
                self._start_worker()
                continue
            self._failed_starts = 0
            self._log(f"a worker is up on {where}")
            self._idle.append(actor)

    def _collect(self, waiting: deque[int]) -> None:
        waited = [*self._running, *self._starting]
        for ref in self._ray.wait(waited, num_returns=1, timeout=_POLL_S)[0]:
            if ref not in self._running:
                continue
            actor, chunk = self._running.pop(ref)
            try:
                report = self._answer(self._ray.get(ref))
            except (self._ray.exceptions.RayActorError, DeviceLost) as error:
                self._lost(actor, chunk, error)  # also a live one: only a new process gets a lost card back
                waiting.appendleft(chunk)
                continue
            self._idle.append(actor)
            self._on_report(chunk, report)

    def _lost(self, actor: Any, chunk: int, error: Exception) -> None:
        self._attempts[chunk] += 1
        self._log(f"the worker of chunk {chunk} is gone: {_first_line(error)}")
        if self._attempts[chunk] >= MAX_ATTEMPTS:
            raise WorkerDied(f"chunk {chunk} ended its worker {MAX_ATTEMPTS} times", where=_first_line(error),
                             fix="Give the workers more memory or a smaller batch size, and resume.")
        self._ray.kill(actor, no_restart=True)  # it may only have been out of reach
        self._start_worker()

    def _stop(self) -> None:
        """Lets every worker end at its next safe point."""
        for actor, _ in self._running.values():
            actor.stop.remote()
        if self._running:
            refs = list(self._running)
            for ref in self._ray.wait(refs, num_returns=len(refs), timeout=_STOP_PATIENCE_S)[0]:
                _, chunk = self._running.pop(ref)
                try:
                    self._on_report(chunk, self._answer(self._ray.get(ref)))
                except self._ray.exceptions.RayActorError:
                    continue

    def _answer(self, report: Report) -> Report:
        if "error" in report:
            raise error_from_json(report["error"])
        return report


class _Actor:
    """Runs in Ray's process. Errors that are for people travel as mappings: their classes do not pickle."""

    def __init__(self, open_worker: Callable[[], ChunkWorker]) -> None:
        self._open_worker = open_worker
        self._worker: ChunkWorker | None = None
        self._stopped = False

    def ready(self) -> str:
        return f"{os.uname().nodename}, process {os.getpid()}"

    def prepare(self) -> Report:
        return self._guarded(lambda worker: worker.prepare())

    def run_chunk(self, chunk: int) -> Report:
        return self._guarded(lambda worker: worker.run_chunk(chunk))

    def stop(self) -> None:
        self._stopped = True
        if self._worker is not None:
            self._worker.stop()

    def _guarded(self, call: Callable[[ChunkWorker], Report]) -> Report:
        try:
            if self._worker is None:
                self._worker = self._open_worker()
                if self._stopped:
                    self._worker.stop()
            return call(self._worker)
        except SynthVLMError as error:
            return {"error": error_to_json(error)}


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]
