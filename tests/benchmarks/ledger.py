"""Measures what the ledger of chunks costs beside the work; prints one JSON line.

    python tests/benchmarks/ledger.py [--captions 1000000] [--chunk-images 20] [--done 0.5] [--open]

A plan of one image a caption is made, saved and read back; then every chunk is asked for its shard's name and whether
that shard is there, as an executor does that resumes, with a share ``done`` of the (empty) shard files in place. With
--open as many real shards are written (minutes, some 10 GB), and the workspace is opened in fresh processes: the first
time, which indexes it, and again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from store import make_workspace, open_in_fresh_process  # noqa: E402

from synthvlm_ui.generation import Plan, load_plan, plan_items, save_plan  # noqa: E402
from synthvlm_ui.records import Caption, GenerationSettings, GeneratorInfo  # noqa: E402
from synthvlm_ui.store import Workspace  # noqa: E402

DATASET = "benchmark"


def timed(found: dict[str, Any], name: str, call: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    value = call()
    found[name] = round(time.perf_counter() - start, 3)
    return value


def plan_of(captions: int, chunk_images: int, found: dict[str, Any]) -> Plan:
    texts = [Caption(f"{number:016x}", f"a made-up caption of usual length, number {number}")
             for number in range(captions)]
    settings = GenerationSettings("made-up", num_inference_steps=20, guidance_scale=5.0, width=1024, height=1024)
    info = GeneratorInfo("made-up", "made-up/model", "0123456789abcdef", "euler", 1024, 1024, 20, 5.0)
    items = timed(found, "items_s", lambda: plan_items(texts, [[text.caption] for text in texts]))
    return Plan(DATASET, settings, info, items, chunk_images, "2026-01-01T00:00:00+00:00")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--chunk-images", type=int, default=20)
    parser.add_argument("--done", type=float, default=0.5)
    parser.add_argument("--open", action="store_true", help="also write that many real shards and open them")
    options = parser.parse_args()
    found: dict[str, Any] = {"benchmark": "ledger", "captions": options.captions, "load": round(os.getloadavg()[0], 1),
                             "date": time.strftime("%Y-%m-%d")}
    with tempfile.TemporaryDirectory() as scratch, Workspace.open(Path(scratch) / "workspace") as workspace:
        plan = plan_of(options.captions, options.chunk_images, found)
        timed(found, "run_id_s", lambda: plan.run_id)
        timed(found, "save_s", lambda: save_plan(plan, Path(scratch)))
        read = timed(found, "load_s", lambda: load_plan(Path(scratch)))
        assert read is not None and read.run_id == plan.run_id
        found["chunks"] = plan.chunk_count
        folder = workspace.paths.shard(DATASET, plan.shard(0)).parent
        folder.mkdir(parents=True)
        for chunk in range(int(plan.chunk_count * options.done)):
            workspace.paths.shard(DATASET, plan.shard(chunk)).touch()
        there = timed(found, "claim_all_s", lambda: sum(
            workspace.shards.exists(DATASET, plan.shard(chunk)) for chunk in range(plan.chunk_count)))
        assert there == int(plan.chunk_count * options.done)
        timed(found, "candidates_of_100_chunks_s", lambda: [list(plan.candidates(chunk)) for chunk in range(100)])
    if options.open:
        with tempfile.TemporaryDirectory() as scratch:
            timed(found, "shards_written_s",
                  lambda: make_workspace(Path(scratch), options.captions, options.chunk_images))
            found["first_open_s"] = round(open_in_fresh_process(Path(scratch)), 2)
            found["open_s"] = sorted(round(open_in_fresh_process(Path(scratch)), 2) for _ in range(3))[1]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
