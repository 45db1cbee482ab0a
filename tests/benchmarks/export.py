"""Exports a selection of 50,000 candidates with 256-px images and validates an export of 10,000; prints one JSON line.

    python tests/benchmarks/export.py [--records N] [--validate M] [--format llava] [--folder DIR]

The images are real files of the store (JPEG of smooth noise, some 10 KB each); 200 distinct ones
are repeated.
Times are of the whole command's work: reading shards, writing files, hashing, the manifest, syncing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "ui")]
from small_workspace import candidate_of  # noqa: E402

from synthvlm_ui.records import ScorerInfo, Selection, SelectionRule  # noqa: E402
from synthvlm_ui.service import Studio  # noqa: E402
from synthvlm_ui.service.export.export_desk import ExportRequest  # noqa: E402
from synthvlm_ui.store import ShardMember  # noqa: E402

DISTINCT, PER_SHARD, SIDE_PX = 200, 500, 256


def pictures() -> list[bytes]:
    rng, found = np.random.default_rng(0), []
    for _ in range(DISTINCT):
        coarse = Image.fromarray(rng.integers(0, 255, (24, 24, 3)).astype(np.uint8))
        buffer = io.BytesIO()
        coarse.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
        found.append(buffer.getvalue())
    return found


def make(workspace: Path, records: int) -> None:
    """A dataset of as many candidates, scored, and selections of all and of some."""
    studio, files = Studio.open(workspace), pictures()
    captions = [f"a red cat and {number} stars above a green boat on the sea" for number in range(records)]
    studio.captions.import_texts("\n".join(captions), "many")
    clip = ScorerInfo("clip", ("clip_cosine",), {"model": "test"})
    ids: list[str] = []
    for start in range(0, records, PER_SHARD):
        part = [candidate_of("many", caption, 0) for caption in captions[start:start + PER_SHARD]]
        shard = f"shard-{start // PER_SHARD}"
        studio.workspace.shards.write("many", shard, [
            ShardMember(one, files[(start + place) % DISTINCT], "jpg", files[0][:1]) for place, one in enumerate(part)])
        names = [one.id for one in part]
        studio.workspace.scores.write("many", shard, clip, names,
                                      {"clip_cosine": np.linspace(0.1, 0.4, len(names), dtype=np.float32)})
        ids += names
    studio.refresh()
    for name, chosen in (("all", ids), ("some", ids[:10_000])):
        studio.workspace.selections.save(Selection(name, SelectionRule("many"), tuple(chosen), records, len(chosen),
                                                   "2026-01-01T00:00:00+00:00", {}))
    studio.close()


def timed(steps: Iterator[tuple[str, float]]) -> dict[str, float]:
    return {name: round(seconds, 2) for name, seconds in steps}


def measure(workspace: Path, out: Path, form: str, validated: int) -> Iterator[tuple[str, float]]:
    started = time.perf_counter()
    studio = Studio.open(workspace)
    studio.refresh()
    yield "open_s", time.perf_counter() - started
    started = time.perf_counter()
    studio.exports.run(ExportRequest("all", form, str(out / "all")))
    yield "export_s", time.perf_counter() - started
    if validated:
        studio.exports.run(ExportRequest("some", form, str(out / "some")))
        started = time.perf_counter()
        report = studio.exports.validate(out / "some", form)
        assert report["ok"], report["errors"][:3]
        yield "validate_s", time.perf_counter() - started
    studio.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--validate", type=int, default=10_000)
    parser.add_argument("--format", default="llava")
    parser.add_argument("--folder", type=Path, help="keep the workspace here and use it again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder and options.folder.parent) as temporary:
        workspace = options.folder or Path(temporary) / "workspace"
        if not workspace.exists():
            make(workspace, options.records)
        found = timed(measure(workspace, Path(temporary), options.format, options.validate))
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"records": options.records, "validated": options.validate, "format": options.format, **found,
                      "cores": os.cpu_count(), "load": load}))


if __name__ == "__main__":
    main()
