"""Measures the store on made-up candidates; prints one JSON line of medians in ms (and s where it says so).

    python tests/benchmarks/store.py [--rows 1000000] [--rows-per-shard 33] [--bulk 370000] [--keep DIR]

Real shards, thumbnails and score files are written (without waiting for the disk), with contents of a few bytes: the
numbers tell what the store costs, not how fast a disk reads pictures. With --keep the workspace stays for another run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from synthvlm_ui.records import Candidate, ScorerInfo
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files import atomic
from synthvlm_ui.store.files.tar import write_tar

SCORER = ScorerInfo("made-up", ("clip_cosine", "ssim"), {})
DATASET = "benchmark"
PAGE_ROWS = 48


def facts_template() -> str:
    """The JSON of a candidate with places for id, caption id, seed and repeat."""
    made = Candidate(
        "@id",
        DATASET,
        "@caption",
        "a made-up caption of usual length, with a few words more",
        "{caption}",
        "a made-up caption of usual length, with a few words more",
        None,
        "made-up",
        "made-up/model",
        "0123456789abcdef",
        "euler",
        20,
        7.5,
        1024,
        1024,
        0,
        0,
        0,
        "2026-01-01T00:00:00+00:00",
    )
    text = json.dumps(made.to_json(), sort_keys=True, separators=(",", ":")).replace("%", "%%")
    return (
        text.replace("@id", "%(id)s")
        .replace("@caption", "%(caption)s")
        .replace('"seed":0', '"seed":%(seed)d')
        .replace('"repeat":0', '"repeat":%(repeat)d')
    )


def make_workspace(root: Path, rows: int, per_shard: int) -> None:
    """Writes shards and scores straight into place."""
    template, chance = facts_template(), np.random.default_rng(0)
    with Workspace.open(root) as workspace:
        for start in range(0, rows, per_shard):
            shard = f"{start // per_shard:05d}"
            numbers = range(start, min(start + per_shard, rows))
            ids = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in numbers]
            images: list[tuple[str, bytes]] = []
            for number, name in zip(numbers, ids, strict=True):
                facts = template % {"id": name, "caption": f"c{number // 4:015d}", "seed": number, "repeat": number % 4}
                images += [(f"{name}.json", facts.encode()), (f"{name}.webp", b"image")]
            for path, members in (
                (workspace.paths.thumbnail_shard(DATASET, shard), [(f"{name}.webp", b"x" * 64) for name in ids]),
                (workspace.paths.shard(DATASET, shard), images),
            ):
                with atomic.replacing(path) as file:
                    write_tar(file, members)
            values = {name: chance.normal(0.3, 0.05, len(ids)).astype(np.float32) for name in SCORER.columns}
            workspace.scores.write(DATASET, shard, SCORER, ids, values)


def median_ms(action: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        taken.append((time.perf_counter() - start) * 1e3)
    return round(statistics.median(taken), 3)


def open_in_fresh_process(root: Path) -> float:
    """Seconds to open the workspace and its columns where nothing is loaded yet but this package."""
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); from synthvlm_ui.store import Workspace;"
        "start = time.perf_counter(); workspace = Workspace.open(sys.argv[1]); workspace.columns;"
        "print(time.perf_counter() - start); workspace.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), str(Path(__file__).resolve().parents[2])],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def measure(root: Path, bulk: int) -> dict[str, Any]:
    found: dict[str, Any] = {"open_s": round(statistics.median(open_in_fresh_process(root) for _ in range(5)), 3)}
    with Workspace.open(root) as workspace:
        columns, journal, chance = workspace.columns, workspace.journal, np.random.default_rng(1)
        found |= {"rows": columns.n, "shards": len(workspace.shards.names(DATASET)), "problems": len(columns.problems)}
        found["refresh_nothing_new"] = median_ms(columns.refresh, 21)
        order = np.argsort(-columns.score("clip_cosine"), kind="stable")

        def page(with_thumbnails: bool) -> None:
            offset = int(chance.integers(0, columns.n - PAGE_ROWS))
            rows = order[offset : offset + PAGE_ROWS]
            columns.describe(rows)
            if with_thumbnails:
                for row in rows.tolist():
                    columns.thumbnail(row)

        found["page"] = median_ms(lambda: page(False), 51)
        found["page_with_thumbnails"] = median_ms(lambda: page(True), 51)
        acts = [np.sort(chance.choice(columns.n, min(bulk, columns.n), replace=False)) for _ in range(6)]

        def decide(rows: np.ndarray) -> None:
            journal.append_verdict("bench", "keep", rows, rule={"clip_min": 0.3})
            columns.refresh()

        def answer(back: bool) -> None:
            (journal.undo if back else journal.redo)("bench")
            columns.refresh()

        waiting = iter(acts)
        found["bulk_verdict"] = median_ms(lambda: decide(next(waiting)), len(acts))
        found["single_verdict"] = median_ms(lambda: decide(chance.integers(0, columns.n, 1)), 51)
        found["undo_single"] = median_ms(lambda: answer(True), 51)
        found["undo_bulk"] = median_ms(lambda: answer(True), 5)
        found["redo_bulk"] = median_ms(lambda: answer(False), 5)
        found["bulk_event_bytes"] = max(len(event.bitmap or b"") for event in journal.events(kinds=("verdict",)))
        found["ordinals_of_1000_ids"] = median_ms(lambda: columns.ordinals_of(columns.ids_of(order[:1000])), 11)
        found["save_snapshot"] = median_ms(columns.save_snapshot, 3)
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rows-per-shard", type=int, default=33)
    parser.add_argument("--bulk", type=int, default=370_000)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch) / "workspace"
        fsync, found = os.fsync, {}
        if not (root / "snapshot" / "manifest.json").exists():
            start = time.perf_counter()
            os.fsync = lambda descriptor: None  # type: ignore[assignment]
            make_workspace(root, arguments.rows, arguments.rows_per_shard)
            os.fsync = fsync  # type: ignore[assignment]
            found["made_s"] = round(time.perf_counter() - start, 1)
            start = time.perf_counter()
            with Workspace.open(root) as workspace:
                workspace.columns.save_snapshot()
            found["rebuild_s"] = round(time.perf_counter() - start, 1)
            print(json.dumps(found), file=sys.stderr)
            # The folders' times have to settle before they can be relied on.
            time.sleep(2.5)
        found |= measure(root, arguments.bulk)
        found |= {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
