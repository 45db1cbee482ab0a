"""Kills the app, the worker or the trainer of one workspace again and again while people use it; says what was lost.

    python tests/faults/kill_story.py FOLDER [--kills 100] [--seed 1]

People decide, take back and select through the app's routes; a generating job and a training run behind it and are
resumed after each kill. One JSON object at the end: kills by process, acknowledged acts and what of them is missing,
what ``workspace check`` finds, images that were made twice, and how the jobs ended.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "e2e")]

import httpx  # noqa: E402
from served_app import ROUTES, ServedApp  # noqa: E402

from synthvlm_ui.records import GenerationSettings  # noqa: E402
from synthvlm_ui.service import Studio  # noqa: E402
from synthvlm_ui.service.training.training_desk import TrainingSettings  # noqa: E402
from synthvlm_ui.service.workspace_check import WorkspaceCheck  # noqa: E402

DRAWING = GenerationSettings("miniature", images_per_caption=6, num_inference_steps=4, chunk_images=8, batch_size=4,
                             device="cpu")


class Story:
    """The workspace, its app, and everything that was acknowledged so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.workspace, self.chance = folder / "workspace", random.Random(seed)
        studio = Studio.open(self.workspace)
        studio.captions.load_sample()
        studio.generation.start(DRAWING, dataset="sample", limit=4)
        self._wait(studio)
        self.ids = studio.workspace.columns.ids_of(range(studio.workspace.columns.n))
        studio.curation.select("first", studio.curation.rule("sample"))
        studio.close()
        self.events: list[int] = []
        self.selections: list[str] = ["first"]
        self.kills: Counter[str] = Counter()
        self.broken: list[str] = []
        self.app = ServedApp(self.workspace)
        self.ending = False

    @staticmethod
    def _wait(studio: Studio) -> None:
        while studio.jobs.running():
            time.sleep(0.1)
        studio.refresh()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(self.app.address + ROUTES + path, json=body, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def use(self) -> None:
        """A person who decides, takes back and selects; what the app answered is acknowledged."""
        number = 0
        while not self.ending:
            number += 1
            with suppress(httpx.HTTPError):
                if number % 20 == 0:
                    name = f"story-{number}"
                    self.post("select", {"name": name, "rule": {"dataset": "sample"}})
                    self.selections.append(name)
                elif number % 7 == 0:
                    self.post("undo", {})
                else:
                    body = {"ids": [self.chance.choice(self.ids)], "verdict": self.chance.choice(["keep", "reject"])}
                    self.events.append(int(self.post("verdict", body)["event_id"]))
            time.sleep(0.01)

    def kill_one(self, studio: Studio, jobs: dict[str, str]) -> None:
        running = [name for name, job in jobs.items() if studio.jobs.show(job)["state"] == "running"]
        fewest = min(self.kills[name] for name in ("app", *running))  # chance alone may spare one kind to the end
        victim = self.chance.choice([name for name in ("app", *running) if self.kills[name] == fewest])
        self.kills[victim] += 1
        if victim == "app":
            self.app.process.kill()
            self.app.process.wait()
            self.app = ServedApp(self.workspace)
            return
        with suppress(OSError, ValueError, ProcessLookupError):
            pid = int(json.loads((self.workspace / "jobs" / jobs[victim] / "pid.json").read_text())["pid"])
            os.kill(pid, signal.SIGKILL)

    def resume(self, studio: Studio, jobs: dict[str, str]) -> None:
        for job in jobs.values():
            if studio.jobs.show(job)["state"] in ("crashed", "stopped"):
                studio.jobs.resume(job)


def run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    story = Story(folder, seed)
    studio = Studio.open(story.workspace)
    training = TrainingSettings(recipe="synth2-vq", out=str(folder / "trained"), configuration="tiny",
                                selections=("first",), max_steps=20 * kills, batch_size=4, seed=1, device="cpu")
    jobs = {"worker": studio.generation.start(DRAWING, dataset="sample"), "trainer": studio.training.start(training)}
    person = threading.Thread(target=story.use)
    person.start()
    for _ in range(kills):
        time.sleep(story.chance.uniform(0.2, 1.5))
        story.kill_one(studio, jobs)
        time.sleep(0.3)
        story.resume(studio, jobs)
    story.ending = True
    person.join()
    for job in jobs.values():
        if studio.jobs.show(job)["state"] == "running":
            studio.jobs.stop(job)
    story._wait(studio)
    story.app.end()
    journal = {event.id for event in studio.workspace.journal.events()}
    checked = WorkspaceCheck(story.workspace).run()
    names = set(studio.workspace.selections.names())
    shards = [(name, member.candidate.id) for name in studio.workspace.shards.names("sample")
              for member in studio.workspace.shards.read("sample", name)]
    states = {name: studio.jobs.show(job)["state"] for name, job in jobs.items()}
    studio.close()
    return {"kills": dict(story.kills), "acknowledged": len(story.events), "missing": len(set(story.events) - journal),
            "selections_missing": len(set(story.selections) - names), "findings": checked["findings"],
            "images": len(shards), "images_twice": len(shards) - len({name for _, name in shards}), "states": states}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(run(options.folder, options.kills, options.seed)))
