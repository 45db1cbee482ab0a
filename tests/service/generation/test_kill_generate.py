"""``kill -9`` of a generating job, ten times at random places: no acknowledged decision is lost, no finished chunk is
made again, and the workspace ends with the same pixels as one that was never disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_content import content

from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service import Studio

KILLS = 10
CHUNK_IMAGES = 8
SETTINGS = GenerationSettings("miniature", images_per_caption=4, num_inference_steps=4, chunk_images=CHUNK_IMAGES,
                              batch_size=4, device="cpu")
CAPTIONS = 36
PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def short_lived_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "5")


@pytest.fixture
def studios(tmp_path: Path) -> Iterator[tuple[Studio, Studio]]:
    disturbed, quiet = Studio.open(tmp_path / "disturbed"), Studio.open(tmp_path / "quiet")
    for studio in (disturbed, quiet):
        studio.captions.load_sample()
    yield disturbed, quiet
    disturbed.close()
    quiet.close()


def start(studio: Studio) -> str:
    return studio.generation.start(SETTINGS, dataset="sample", limit=CAPTIONS)


def worker_pid(studio: Studio, job: str, seen: int, images: int) -> int:
    """The process that runs the job, once it has drawn so many images beyond the ``seen`` ones of earlier attempts.

    Counted in images and not in seconds, so that kills fall at the same places of the work on a slow machine.
    """
    path = studio.workspace.paths.jobs / job / "pid.json"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        live = studio.jobs.live(job, seen)
        if live["state"] == "done" or (live["state"] == "running" and live["next"] >= seen + images and path.exists()):
            return int(json.loads(path.read_text())["pid"])
        time.sleep(0.01)
    raise AssertionError(f"the job never drew: {studio.jobs.show(job)}")


def kill_and_wait(studio: Studio, job: str, pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while studio.jobs.show(job)["state"] == "running":
        assert time.monotonic() < deadline, "nobody noticed that the worker is gone"
        time.sleep(0.05)


def shard_times(studio: Studio) -> dict[str, int]:
    folder = studio.workspace.paths.shards / "sample"
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.tar")}


@pytest.mark.slow
def test_ten_kills_lose_nothing_and_change_no_pixel(studios: tuple[Studio, Studio]) -> None:
    disturbed, quiet = studios
    moments = random.Random(20261121)
    job, decided, resumes = start(disturbed), {}, 0
    for _ in range(KILLS):
        if disturbed.jobs.show(job)["state"] == "done":
            break
        seen = disturbed.jobs.live(job)["next"]
        pid = worker_pid(disturbed, job, seen, moments.randint(1, 2 * CHUNK_IMAGES))
        time.sleep(moments.uniform(0.0, 0.1))
        done_before = shard_times(disturbed)
        disturbed.refresh()
        undecided = [name for name in disturbed.workspace.columns.ids_of(range(disturbed.workspace.columns.n))
                     if name not in decided]
        if undecided:
            verdict = moments.choice(["keep", "reject"])
            disturbed.curation.verdict(undecided[:1], verdict)
            decided[undecided[0]] = verdict
        kill_and_wait(disturbed, job, pid)
        state = disturbed.jobs.show(job)["state"]
        assert state in ("crashed", "done")
        assert done_before.items() <= shard_times(disturbed).items(), "a finished chunk was written again"
        if state == "crashed":
            disturbed.jobs.resume(job)
            resumes += 1
    result = disturbed.jobs.follow(job, lambda _: None)["result"]
    assert resumes >= 3, "the job was too quick to be disturbed"
    assert result == {"generated": CAPTIONS * 4, "failed": 0, "skipped": 0}

    quiet.jobs.follow(start(quiet), lambda _: None)
    made, expected = content(disturbed), content(quiet)
    assert made.keys() == expected.keys()
    assert all(made[name][1] == expected[name][1] for name in made)
    assert all(made[name][0] == expected[name][0] for name in made)

    disturbed.refresh()
    values = {"keep": 1, "reject": -1}
    assert decided
    for name, verdict in decided.items():
        assert disturbed.curation.candidate(name)["verdict"] == values[verdict]
    assert not list(disturbed.workspace.root.rglob("*.tar.tmp*"))
