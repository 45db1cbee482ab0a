"""The executor under a real Ray: a chunk whose worker loses its card goes to a worker in another process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flaky_card import FlakyCard

from synthvlm_ui.errors import Failure, WorkerDied
from synthvlm_ui.jobs import RayCluster, RayExecutor, connected
from synthvlm_ui.jobs.ray_cluster import WorkerShape

HERE = Path(__file__).resolve().parent


class Unwatched:
    def update(self, done: int, total: int, *, failed: int = 0, message: str = "") -> None: ...

    def should_stop(self) -> bool:
        return False


def test_a_cluster_that_is_not_there_is_said_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(Failure, match=f"Ray cannot be reached: .*refused.*{address}.*ray start --head"), \
            connected(RayCluster(address)):
        pass


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with connected(RayCluster()) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_card_costs_its_worker_and_not_the_job(ray: Any, tmp_path: Path, times: int) -> None:
    reports: dict[int, Any] = {}
    executor = RayExecutor(ray, WorkerShape("cpu", 1, 1, 0), partial(FlakyCard, str(tmp_path), 1, times),
                           on_report=lambda chunk, report: reports.update({chunk: report["process"]}),
                           environment={"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])})
    if times == 3:
        with pytest.raises(WorkerDied, match="chunk 1 ended its worker 3 times"):
            executor.run(range(3), Unwatched())
        return
    executor.run(range(3), Unwatched())
    lost = int((tmp_path / "losses").read_text())
    assert reports[0] == lost and lost not in (reports[1], reports[2])
