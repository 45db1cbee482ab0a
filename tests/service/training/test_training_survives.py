"""A training that is asked to end, killed and resumed twice has the losses of one that never was; runs in one table."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scene_workspace import fill_with_scenes

from synthvlm_ui.errors import UnknownName
from synthvlm_ui.jobs import end_worker
from synthvlm_ui.service import Studio

STEPS, PATIENCE_S = 24, 120.0


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "5")
    opened = Studio.open(tmp_path / "workspace")
    fill_with_scenes(opened, "toys", 12)
    opened.curation.select("best", opened.curation.rule(dataset="toys", top_k=8, guards=False))
    yield opened
    end_worker(opened.workspace.paths.jobs, "cpu")
    opened.close()


def started(studio: Studio, name: str) -> str:
    return studio.training.start(studio.training.settings(
        recipe="synth2-vq", out=studio.training.out_of(name), selections=("best:2",), real=("toys",),
        configuration="tiny", perceptual="none", max_steps=STEPS, batch_size=2, device="cpu"))


def waited(studio: Studio, job: str, reached: Any) -> dict[str, Any]:
    """The job's row once ``reached(row)``."""
    deadline = time.monotonic() + PATIENCE_S
    while not reached(row := studio.runs.progress(job)["run"]):
        assert time.monotonic() < deadline and row["state"] != "failed", row
        time.sleep(0.02)
    return row


def losses(studio: Studio, job: str) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in studio.runs.progress(job)["rows"]}


def end(studio: Studio, job: str, how: int) -> None:
    pid = json.loads((studio.workspace.paths.jobs / job / "pid.json").read_text())["pid"]
    os.kill(int(pid), how)


@pytest.mark.slow
def test_sigterm_and_kill_change_no_loss(studio: Studio) -> None:
    quiet = started(studio, "quiet")
    waited(studio, quiet, lambda row: row["state"] == "done")
    job = started(studio, "disturbed")
    waited(studio, job, lambda row: row["steps"] >= 4)
    end(studio, job, signal.SIGTERM)
    stopped = waited(studio, job, lambda row: row["state"] == "stopped")
    assert 4 <= stopped["steps"] < STEPS
    studio.jobs.resume(job)
    waited(studio, job, lambda row: row["state"] == "running" and row["steps"] >= stopped["steps"] + 4)
    end(studio, job, signal.SIGKILL)
    waited(studio, job, lambda row: row["state"] == "crashed")
    studio.jobs.resume(job)
    waited(studio, job, lambda row: row["state"] == "done")
    assert losses(studio, job) == losses(studio, quiet)
    assert sorted(losses(studio, job)) == list(range(1, STEPS + 1))

    rows = {row["name"]: row for row in studio.runs.list()["runs"]}
    assert list(rows) == ["disturbed", "quiet"]
    row = rows["quiet"]
    assert (row["pairs"], row["steps"], row["max_steps"], row["state"]) == (20, STEPS, STEPS, "done")
    selection, real = row["sources"]
    assert (selection["name"], selection["pairs"], selection["weight"], selection["rule"]["dataset"]) == (
        "best", 8, 2.0, "toys")
    assert selection["scores"]["clip_cosine"] == pytest.approx(0.25) and (real["kind"], real["pairs"]) == ("real", 12)
    assert rows["disturbed"]["loss"] == pytest.approx(row["loss"])
    shown = studio.runs.show(quiet)
    assert "--selection best:2" in shown["command"] and len(shown["curve"]) == STEPS
    with pytest.raises(UnknownName):
        studio.runs.show("20260101T000000-0000")
