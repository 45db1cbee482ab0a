"""A card that is lost while CLIP scores, in a real worker process: the job says so, the process ends, and starting the
job again makes the missing chunks in a new one. Jobs that waited behind it go on in a new process by themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from synthvlm_ui.errors import DeviceLost
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service import Studio

SETTINGS = GenerationSettings("miniature", num_inference_steps=1, chunk_images=2, batch_size=2, device="cpu")
CAPTIONS, CHUNKS = 8, 4
PATIENCE_S = 120.0
# Python runs a file of this name when it starts: CUDA's error in the third batch of pictures that the embedder sees.
FAULT = """
from pathlib import Path
from synthvlm_ui.backends.open_clip_embedder import OpenClipEmbedder

encode, seen = OpenClipEmbedder._encode_images, []

def lost(self, images):
    seen.append(len(images))
    broken = Path(__file__).with_name("broken")
    if len(seen) > 2 and broken.exists():
        if broken.read_text() == "once":
            broken.unlink()
        raise RuntimeError("CUDA error: unspecified launch failure\\nCUDA kernel errors might be reported later")
    return encode(self, images)

OpenClipEmbedder._encode_images = lost
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    card = tmp_path / "card"
    card.mkdir()
    (card / "sitecustomize.py").write_text(FAULT)
    (card / "broken").touch()
    monkeypatch.setenv("PYTHONPATH", str(card))
    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "60")  # it must not leave only because there is nothing to do
    with closing(Studio.open(tmp_path / "work")) as opened:
        opened.captions.load_sample()
        yield opened


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_lost_card_ends_its_process_and_costs_one_chunk(studio: Studio, tmp_path: Path) -> None:
    job = studio.generation.start(SETTINGS, dataset="sample", limit=CAPTIONS)
    pid_file = studio.workspace.paths.jobs / job / "pid.json"
    with pytest.raises(DeviceLost, match=r"cpu stopped answering.*launch failure.*Resume the job"):
        studio.jobs.follow(job, lambda _: None)
    process = json.loads(pid_file.read_text())["pid"]
    until(lambda: not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    shards = studio.workspace.paths.shards / "sample"
    before = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.tar")}
    assert len(before) == 2, "the chunks before the loss are there, that of the loss is not"

    (tmp_path / "card" / "broken").unlink()
    studio.jobs.resume(job)
    assert studio.jobs.follow(job, lambda _: None)["result"] == {"generated": CAPTIONS, "failed": 0, "skipped": 0}
    assert json.loads(pid_file.read_text())["pid"] != process
    after = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.tar")}
    assert len(after) == CHUNKS and before.items() <= after.items()


def test_jobs_behind_a_lost_card_are_done_without_anybody_who_looks(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "card" / "broken").write_text("once")
    jobs = [studio.generation.start(SETTINGS, dataset="sample", limit=limit) for limit in (CAPTIONS, CAPTIONS + 4)]
    statuses = [studio.workspace.paths.jobs / job / "status.json" for job in jobs]  # reading these wakes nobody
    until(lambda: [json.loads(path.read_text())["state"] for path in statuses] == ["failed", "done"])
    processes = {json.loads(path.with_name("pid.json").read_text())["pid"] for path in statuses}
    assert len(processes) == 2
