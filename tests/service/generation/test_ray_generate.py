"""Two Ray workers on one machine, one killed, then the driver killed: the missing chunks are finished, and the
workspace is the one that the local executor makes."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from made_content import content
from tiny_pipelines import NATIVE_PX, save_tiny_sd

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.jobs import RayCluster, shape_of
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service import Placement, Studio

SETTINGS = GenerationSettings("miniature", images_per_caption=2, num_inference_steps=2, chunk_images=4, batch_size=4,
                              device="cpu")
CAPTIONS = 20
UNDER_RAY = Placement("ray", ray_workers=2, ray_cpus=1)
PATIENCE_S = 120.0


@pytest.fixture
def studios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Studio, Studio]]:
    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as many threads as a Ray worker of one processor has
    both = Studio.open(tmp_path / "ray"), Studio.open(tmp_path / "local")
    for studio in both:
        studio.captions.load_sample()
    yield both
    for studio in both:
        studio.close()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listening_beyond_loopback(root: psutil.Process) -> list[str]:
    """Addresses that other machines could reach, of the process and all it has started."""
    found = []
    for process in [root, *root.children(recursive=True)]:
        try:
            connections = process.net_connections("inet")
        except psutil.NoSuchProcess:
            continue
        found += [str(each.laddr) for each in connections
                  if each.status == psutil.CONN_LISTEN and "127.0.0.1" not in each.laddr.ip and each.laddr.ip != "::1"]
    return found


@pytest.mark.slow
def test_killed_workers_and_a_killed_driver_cost_nothing(studios: tuple[Studio, Studio]) -> None:
    ray, local = studios
    job = ray.generation.start(SETTINGS, dataset="sample", limit=CAPTIONS, placement=UNDER_RAY)
    directory = ray.workspace.paths.jobs / job
    shards = ray.workspace.paths.shards / "sample"

    def log() -> str:
        return (directory / "log.txt").read_text() if (directory / "log.txt").exists() else ""

    def finished() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in shards.glob("*.tar")}

    until(lambda: len(re.findall(r"is up on", log())) == 2 and finished())
    driver = psutil.Process(json.loads((directory / "pid.json").read_text())["pid"])
    assert listening_beyond_loopback(driver) == []
    os.kill(int(re.findall(r"is up on .* process (\d+)", log())[0]), signal.SIGKILL)
    until(lambda: "is gone" in log() and len(finished()) >= 4)

    started = driver.children(recursive=True)
    driver.kill()
    until(lambda: ray.jobs.show(job)["state"] == "crashed")
    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in started
                          if psutil.pid_exists(process.pid)))
    before = finished()
    assert 0 < len(before) < CAPTIONS * 2 // 4
    ray.jobs.resume(job)
    assert ray.jobs.follow(job, lambda _: None)["result"] == {"generated": CAPTIONS * 2, "failed": 0, "skipped": 0}
    assert before.items() <= finished().items(), "a finished chunk was written again"
    rows = ray.jobs.live(job)["images"]
    assert rows and all(row["clip_cosine"] is not None for row in rows)

    local.jobs.follow(local.generation.start(SETTINGS, dataset="sample", limit=CAPTIONS), lambda _: None)
    made, expected = content(ray), content(local)
    assert made.keys() == expected.keys()
    assert all(made[name][1] == expected[name][1] for name in made)
    assert all(made[name][0] == expected[name][0] for name in made)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_real_generator_leaves_the_same_result_here_and_there(studios: tuple[Studio, Studio], tmp_path: Path) -> None:
    ray, local = studios
    settings = GenerationSettings(str(save_tiny_sd(tmp_path / "tiny")), num_inference_steps=2, chunk_images=2,
                                  batch_size=2, width=NATIVE_PX, height=NATIVE_PX, device="cpu", vae="sliced")
    results = [studio.jobs.follow(studio.generation.start(settings, dataset="sample", limit=4, placement=placement),
                                  lambda _: None)["result"]
               for studio, placement in ((ray, UNDER_RAY), (local, Placement()))]
    assert results[0] == results[1]
    assert results[0]["generated"] == 4 and "float32" in results[0]["engine"] and "sliced" in results[0]["engine"]
    assert content(ray) == content(local)


def test_a_cluster_is_cut_into_workers() -> None:
    cards = {"CPU": 64.0, "GPU": 8.0}
    assert shape_of(RayCluster(), "auto", cards).count == 8
    assert (shape_of(RayCluster(workers=3), "cuda", cards).count, shape_of(RayCluster(), "auto", cards).gpus) == (3, 1)
    on_cpus = shape_of(RayCluster(cpus_per_worker=16), "cpu", cards)
    assert (on_cpus.device, on_cpus.count, on_cpus.cpus, on_cpus.gpus) == ("cpu", 4, 16, 0)
    small = shape_of(RayCluster(), "auto", {"CPU": 2.0})
    assert (small.device, small.count, small.cpus) == ("cpu", 1, 2)
    with pytest.raises(BadSetting, match="no GPU"):
        shape_of(RayCluster(), "cuda", {"CPU": 2.0})
    with pytest.raises(BadSetting, match="ray://"):
        RayCluster("ray://head:10001")
