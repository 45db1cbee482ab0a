"""A writer is killed at random moments: what it had acknowledged is there, and nothing half done is seen."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from store_builders import decoded, fresh_columns

from synthvlm_ui.store import Workspace

WRITER = """
import sys
sys.path.insert(0, "tests/store")
from store_builders import CLIP, members, write_scores
from synthvlm_ui.records import Caption
from synthvlm_ui.store import Workspace
base = int(sys.argv[2])
with Workspace.open(sys.argv[1]) as workspace:
    columns = workspace.columns
    for number in range(base, base + 10_000):
        shard = f"{number:05d}"
        workspace.shards.write("sample", shard, members(range(8 * number, 8 * number + 8), content="x" * 50_000))
        print("shard", shard, flush=True)
        write_scores(workspace, shard, CLIP, embeddings=True)
        print("scores", shard, flush=True)
        workspace.captions.add(f"dataset-{number}", [Caption(str(n), "text") for n in range(50)])
        print("captions", f"dataset-{number}", flush=True)
        columns.refresh()
        event = workspace.journal.append_verdict("writer", "keep", range(columns.n))
        print("event", event, flush=True)
        if number % 3 == 0:
            columns.save_snapshot()
"""
ROUNDS = 4


def killed_writer(root: Path, base: int, lines: int, seconds: float) -> list[tuple[str, str]]:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(base)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(lines)]
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    # The last line may be cut, and is then no acknowledgement.
    return [(line.split()[0], line.split()[1]) for line in said if line.endswith("\n")]


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(5)
    acknowledged: list[tuple[str, str]] = []
    for number in range(ROUNDS):
        acknowledged += killed_writer(tmp_path, 1000 * number, chance.randint(1, 24), chance.uniform(0.0, 0.02))
        with Workspace.open(tmp_path) as workspace:
            columns = workspace.columns
            events = {str(event.id) for event in workspace.journal.events()}
            for kind, name in acknowledged:
                if kind == "shard":
                    assert workspace.shards.exists("sample", name)
                elif kind == "scores":
                    key = workspace.scores.keys("sample", name)[0]
                    assert len(workspace.scores.read("sample", name, key).candidate_ids) == 8
                    assert workspace.scores.read_embeddings("sample", name, key).shape == (8, 3)
                elif kind == "captions":
                    assert workspace.captions.count(name) == 50
                else:
                    assert name in events
            for shard in workspace.shards.names("sample"):
                read = list(workspace.shards.read("sample", shard))
                assert len(read) == 8 and all(len(member.image or b"") > 50_000 for member in read)
            assert columns.problems == []
            assert columns.n == 8 * len(workspace.shards.names("sample"))
            assert np.count_nonzero(columns.verdict) >= 8 * len(
                {name for kind, name in acknowledged if kind == "event"}
            )
            assert decoded(columns) == decoded(fresh_columns(workspace))
    assert len({kind for kind, _ in acknowledged}) == 4
