"""Scoring anew: nothing else is touched, and a killed job goes on with the shards that are left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_workspace import SIDE_PX, candidate_of, fill

from synthvlm_ui.generation import encode_image, encode_thumbnail
from synthvlm_ui.service import Studio
from synthvlm_ui.store import ShardMember

SHARDS = 12
RUN = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from job_under_test import InlineContext
from synthvlm_ui.scoring import GuardScorer
from synthvlm_ui.service.scoring.score_job import run_score
from synthvlm_ui.store import Workspace

class Slow(GuardScorer):
    def score(self, images, captions):
        time.sleep({pause})
        return super().score(images, captions)

class Engines:
    def scorers(self, names, clip_model):
        return [Slow()]

config = {{"dataset": "toys", "scorers": ["guards"], "clip_model": "miniature", "rescore": {rescore}}}
with Workspace.open(Path({workspace!r})) as workspace:
    print(run_score(InlineContext(Path({job!r}), config), workspace, Engines()))
"""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Twelve shards, each of one image; the first has scores of two other scorers."""
    opened = Studio.open(tmp_path / "workspace")
    fill(opened, "toys", ["a caption"], 1)
    rng = np.random.default_rng(0)
    for number in range(2, SHARDS + 1):
        candidate = candidate_of("toys", "a caption", number)
        pixels = rng.integers(0, 255, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
        member = ShardMember(candidate, encode_image(pixels, candidate), "webp", encode_thumbnail(pixels))
        opened.workspace.shards.write("toys", f"shard-{number}", [member])
    yield opened
    opened.close()


def files(studio: Studio, guards: bool) -> dict[str, tuple[bytes, int]]:
    """Every score file of the guards, or every file of the workspace beside them: bytes and time of writing."""
    root = studio.workspace.root
    key = next((key for key in studio.workspace.scores.keys("toys", "shard-1") if "guards" in key), "guards")
    found = [path for folder in ("shards", "scores", "thumbnails") for path in (root / folder).rglob("*")
             if path.is_file() and path.suffix != ".tmp"]
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found
            if ("guards" in path.name or key in path.name) == guards}


def script(studio: Studio, *, rescore: bool, pause: float) -> list[str]:
    here = Path(__file__).resolve()
    return [sys.executable, "-c", RUN.format(tests=str(here.parents[1]), root=str(here.parents[3]), pause=pause,
                                             rescore=rescore, workspace=str(studio.workspace.root),
                                             job=str(studio.workspace.root / "jobs" / "score"))]


@pytest.mark.parametrize("rescore", [False, True])
def test_a_killed_scoring_resumes_and_touches_nothing_else(studio: Studio, rescore: bool) -> None:
    if rescore:
        subprocess.run(script(studio, rescore=False, pause=0), check=True, capture_output=True)
        (studio.workspace.root / "jobs" / "score").rename(studio.workspace.root / "jobs" / "earlier")
    others, before = files(studio, guards=False), files(studio, guards=True)
    assert others and len(before) == (SHARDS if rescore else 0)
    killed = subprocess.Popen(script(studio, rescore=rescore, pause=0.2), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(done := {name for name, file in files(studio, guards=True).items() if before.get(name) != file}) < 3:
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    half = files(studio, guards=True)
    done = {name for name, file in half.items() if before.get(name) != file}
    assert 3 <= len(done) < SHARDS
    said = subprocess.run(script(studio, rescore=rescore, pause=0), check=True, capture_output=True, text=True)
    ended = files(studio, guards=True)
    again = {name for name in done if ended[name] != half[name]}
    assert len(again) <= 1, "shards that were scored are scored again"
    assert len(ended) == SHARDS and all(before.get(name) != file for name, file in ended.items())
    assert files(studio, guards=False) == others
    counted = json.loads(said.stdout.splitlines()[-1].replace("'", '"'))
    assert counted["scored"] + counted["skipped"] == SHARDS and counted["failed"] == 0
