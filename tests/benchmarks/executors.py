"""What handing out chunks costs: the same chunks that only wait, a shard at the end of each, here and under Ray.

    python tests/benchmarks/executors.py [--chunks 6] [--chunk-s 20] [--images 40] [--workers 1]

Waiting stands for a card's work, so what is left over is the executor's own, the reports' and the shards': prints the
wall time of each beside the time that the chunks wait, starting Ray and its workers apart. Needs the package ray.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
IMPORTED_FROM = [str(REPOSITORY), str(REPOSITORY / "tests" / "ui"), str(Path(__file__).resolve().parent)]
sys.path[:0] = IMPORTED_FROM

from waiting_chunks import DATASET, WaitingChunks  # noqa: E402

from synthvlm_ui.jobs import LocalExecutor, RayCluster, RayExecutor, connected, shape_of  # noqa: E402
from synthvlm_ui.store import Workspace  # noqa: E402


class Unwatched:
    """protocols.Progress that nobody reads."""

    def update(self, done: int, total: int, *, failed: int = 0, message: str = "") -> None: ...

    def should_stop(self) -> bool:
        return False


def of_local(worker: WaitingChunks, chunks: int) -> float:
    started = time.monotonic()
    LocalExecutor(worker.run_chunk).run(range(chunks), Unwatched())
    return time.monotonic() - started


def of_ray(worker: WaitingChunks, chunks: int, workers: int) -> tuple[float, float]:
    """Seconds until the first worker is up, and then of the chunks."""
    started, cluster = time.monotonic(), RayCluster("", workers, 1)
    with connected(cluster) as ray:
        executor = RayExecutor(ray, shape_of(cluster, "cpu", ray.cluster_resources()),
                               partial(WaitingChunks, worker.root, worker.chunk_s, worker.images),
                               on_report=lambda chunk, report: None,
                               environment={"PYTHONPATH": os.pathsep.join(IMPORTED_FROM)})
        executor.prepare(Unwatched())
        up = time.monotonic()
        executor.run(range(chunks), Unwatched())
        return up - started, time.monotonic() - up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=6)
    parser.add_argument("--chunk-s", type=float, default=20.0)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    waited_s = options.chunks * options.chunk_s
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True,
                            check=False).stdout.strip()
    found: dict[str, Any] = {"benchmark": "executors", **vars(options), "commit": commit, "cores": os.cpu_count(),
                             "date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as folder:
        local, ray = (WaitingChunks(f"{folder}/{name}", options.chunk_s, options.images) for name in ("local", "ray"))
        for worker in (local, ray):
            Workspace.open(worker.root).close()
        found["local_overhead"] = round(of_local(local, options.chunks) / waited_s - 1, 5)
        up_s, run_s = of_ray(ray, options.chunks, options.workers)
        found |= {"ray_start_s": round(up_s, 1), "ray_overhead": round(run_s * options.workers / waited_s - 1, 5)}
        made = [len(list(Path(worker.root, "shards", DATASET).glob("*.tar"))) for worker in (local, ray)]
        assert made == [options.chunks, options.chunks], made
    print(json.dumps(found))


if __name__ == "__main__":
    main()
