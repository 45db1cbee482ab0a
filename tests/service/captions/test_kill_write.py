"""``kill -9`` of a writing job: every caption is written once, and the dataset ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from fake_server import fake_server, slowly
from test_write_job import caption_for

from synthvlm_ui.service import Studio, WritingSettings
from synthvlm_ui.service.work.job_desk import JobDesk

COUNT, KILLS, PATIENCE_S = 120, 3, 120.0


@pytest.fixture(autouse=True)
def short_lived_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "3")


def run_to_the_end(studio: Studio, name: str, kills: int) -> dict[str, Any]:
    job = studio.writing.start(WritingSettings("written", COUNT, writer=name, sampling="balanced", seed=3))
    path = studio.workspace.paths.jobs / job / "pid.json"
    for kill in range(kills):
        wait_for(studio.jobs, job, (kill + 1) * COUNT // (kills + 2))
        os.kill(int(json.loads(path.read_text())["pid"]), signal.SIGKILL)
        time.sleep(0.5)
        if studio.jobs.show(job)["state"] != "done":
            studio.jobs.resume(job)
    return dict(studio.jobs.follow(job, lambda _now: None)["result"])


def wait_for(jobs: JobDesk, job: str, done: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        now = jobs.show(job)
        if now["state"] == "done" or (now["state"] == "running" and now["done"] >= done):
            return
        time.sleep(0.02)
    raise AssertionError(f"the job never wrote: {jobs.show(job)}")


@pytest.mark.slow
def test_a_killed_job_writes_every_caption_once(tmp_path: Path) -> None:
    with fake_server(lambda _n, body: slowly(0.05, caption_for(body))) as server:
        disturbed, quiet = Studio.open(tmp_path / "disturbed"), Studio.open(tmp_path / "quiet")
        results = run_to_the_end(disturbed, server.name, KILLS), run_to_the_end(quiet, server.name, 0)
        batch = 16
        assert len(server.requests) <= 2 * COUNT + KILLS * batch + batch, "a kill costs one batch at most"
        texts = [[caption.caption for caption in studio.workspace.captions.load("written")]
                 for studio in (disturbed, quiet)]
        disturbed.close()
        quiet.close()
    assert [result["written"] for result in results] == [COUNT, COUNT]
    assert texts[0] == texts[1] and len(set(texts[0])) == COUNT
