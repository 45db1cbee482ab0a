"""A workspace of a million made-up candidates with real captions, thumbnails, scores and embeddings, for benchmarks.

    python tests/benchmarks/curate_workspace.py DIR [--rows 1000000] [--rows-per-shard 33] [--real 20000]

Four candidates per caption; thumbnails are 192 px WebP of a few hundred made-up pictures; CLIPScore, SSIM and guards
look like those of a real set, with some NaN and failures among them; a share of the captions has a real image. What is
written is what generation and scoring write, only without waiting for the disk.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

from synthvlm_ui.backends.model_files import content_digest
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.records import Candidate, Caption, ScorerInfo
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files import atomic
from synthvlm_ui.store.files.tar import write_tar

DATASET = "million"
PER_CAPTION = 4
PICTURES = 256
SIDE_PX = 192
DIMENSIONS = 128
TOPICS = 40
SIZES = ("small", "large", "tiny", "huge", "tall", "wide", "narrow", "round")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black", "brown", "grey", "pink", "silver")
THINGS = ("cat", "dog", "boat", "house", "tree", "clock", "bridge", "horse", "bicycle", "teapot", "violin", "lamp",
          "train", "kite", "basket", "sheep", "tower", "piano", "owl", "bench", "lantern", "rabbit", "anchor", "mill")
PLACES = ("beach", "street", "forest", "kitchen", "harbour", "meadow", "museum", "station", "garden", "desert", "attic",
          "library", "river", "market", "mountain", "village")
TIMES = ("at dawn", "at noon", "at night", "in the rain", "in winter", "in autumn", "under a clear sky", "in the fog")
# What the shipped CLIP would have written, so that a search by text finds its model.
CLIP = ScorerInfo("clip", ("clip_cosine", "truncated"), {
    "model": "miniature", "weights": content_digest(MINIATURE / "clip"), "library": "open_clip",
    "precision": "fp32", "side_px": 64,
    "resize": "squash, bicubic, antialiased, uint8", "context_tokens": 32, "prefix": "A photo depicts "})
SSIM = ScorerInfo("ssim", ("ssim",), {"route": "1024-336-1024, bicubic"})
GUARDS = ScorerInfo("guards", ("sharpness", "entropy_bits", "std", "guard", "phash"), {"made": "up"})


def captions(count: int) -> Iterator[Caption]:
    """Distinct captions of eight to sixteen words, the same for the same count."""
    chance = np.random.default_rng(1)
    picks = chance.integers(0, 2**31, (count, 8))
    for number, pick in enumerate(picks.tolist()):
        words = (SIZES[pick[0] % len(SIZES)], COLOURS[pick[1] % len(COLOURS)], THINGS[pick[2] % len(THINGS)],
                 SIZES[pick[3] % len(SIZES)], COLOURS[pick[4] % len(COLOURS)], THINGS[pick[5] % len(THINGS)])
        text = f"a {words[0]} {words[1]} {words[2]} beside a {words[3]} {words[4]} {words[5]} near the " \
               f"{PLACES[pick[6] % len(PLACES)]} {TIMES[pick[7] % len(TIMES)]}, number {number}"
        yield Caption(f"c{number:015d}", text)


def candidate_id(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


def pictures() -> list[bytes]:
    """A few hundred different WebP thumbnails of some 4 KB."""
    chance, made = np.random.default_rng(2), []
    for _ in range(PICTURES):
        low = chance.integers(0, 255, (6, 6, 3)).astype(np.uint8)
        grain = chance.normal(0, 6, (SIDE_PX, SIDE_PX, 3))
        smooth = np.asarray(Image.fromarray(low).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC), np.float32)
        buffer = io.BytesIO()
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(buffer, "WEBP", quality=55, method=0)
        made.append(buffer.getvalue())
    return made


class Maker:
    """Writes shard after shard straight into place."""

    def __init__(self, workspace: Workspace, texts: list[str]) -> None:
        self.workspace, self.texts, self.pictures = workspace, texts, pictures()
        self.chance = np.random.default_rng(0)
        self.topics = self.chance.normal(size=(TOPICS, DIMENSIONS)).astype(np.float32)

    def shard(self, name: str, numbers: range, *, real: bool) -> None:
        ids = [candidate_id(number) for number in numbers]
        members: list[tuple[str, bytes]] = []
        thumbnails: list[tuple[str, bytes]] = []
        for number, identity in zip(numbers, ids, strict=True):
            failed = not real and number % 997 == 0
            members.append((f"{identity}.json", self.facts(number, identity, real=real, failed=failed)))
            if not failed:
                picture = self.pictures[number * 7919 % PICTURES]
                members.append((f"{identity}.webp", picture))
                thumbnails.append((f"{identity}.webp", picture))
        paths = self.workspace.paths
        written = ((paths.thumbnail_shard(DATASET, name), thumbnails), (paths.shard(DATASET, name), members))
        for path, content in written:
            with atomic.replacing(path) as file:
                write_tar(file, content)
        self.scores(name, numbers, ids, real=real)

    def facts(self, number: int, identity: str, *, real: bool, failed: bool) -> bytes:
        caption = number % len(self.texts) if real else number // PER_CAPTION
        engine = "real" if real else "made-up"
        made = Candidate(identity, DATASET, f"c{caption:015d}", self.texts[caption], "{caption}", self.texts[caption],
                         None, engine, "real" if real else "made-up/model", "0123456789abcdef", "" if real else "euler",
                         0 if real else 20, 0.0 if real else 7.5, SIDE_PX, SIDE_PX, 0,
                         0 if real else number % PER_CAPTION, 0 if real else number, "2026-01-01T00:00:00+00:00",
                         "failed" if failed else "ok", "out of memory" if failed else "")
        return json.dumps(made.to_json(), sort_keys=True, separators=(",", ":")).encode("utf-8")

    def scores(self, name: str, numbers: range, ids: list[str], *, real: bool) -> None:
        chance, count = self.chance, len(ids)
        clip = chance.normal(0.30 if real else 0.31, 0.035, count).astype(np.float32)
        ssim = (1 - chance.gamma(2.0, 0.06 if real else 0.045, count)).clip(0, 1).astype(np.float32)
        clip[chance.random(count) < 0.003] = np.nan
        topic = np.array([number // PER_CAPTION % TOPICS for number in numbers])
        vectors = self.topics[topic] + chance.normal(0, 0.8, (count, DIMENSIONS)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        guard = np.where(chance.random(count) < 0.02, chance.integers(1, 4, count), 0).astype(np.uint8)
        writes = self.workspace.scores.write
        writes(DATASET, name, CLIP, ids, {"clip_cosine": clip, "truncated": chance.random(count) < 0.01}, vectors)
        writes(DATASET, name, SSIM, ids, {"ssim": ssim})
        writes(DATASET, name, GUARDS, ids, {
            "sharpness": chance.gamma(2, 300, count).astype(np.float32), "guard": guard,
            "entropy_bits": chance.normal(6.5, 0.6, count).astype(np.float32),
            "std": chance.gamma(4, 12, count).astype(np.float32),
            "phash": chance.integers(0, 2**63, count).astype(np.uint64)})


def make_workspace(root: Path, rows: int = 1_000_000, per_shard: int = 33, real: int = 20_000) -> dict[str, float]:
    """Makes the workspace unless it is there, and its snapshot; returns how long each took, in s."""
    found: dict[str, float] = {}
    if (root / "snapshot" / "manifest.json").exists():
        return found
    start, fsync = time.perf_counter(), os.fsync
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    try:
        with Workspace.open(root) as workspace:
            texts = list(captions(-(-rows // PER_CAPTION)))
            workspace.captions.add(DATASET, texts, on_duplicate="skip", source="made up")
            maker = Maker(workspace, [caption.caption for caption in texts])
            for first in range(0, rows, per_shard):
                numbers = range(first, min(first + per_shard, rows))
                maker.shard(f"{first // per_shard:05d}", numbers, real=False)
            for first in range(0, real, 500):
                numbers = range(rows + first, rows + min(first + 500, real))
                maker.shard(f"real-{first // 500:05d}", numbers, real=True)
    finally:
        os.fsync = fsync  # type: ignore[assignment]
    found["made_s"] = round(time.perf_counter() - start, 1)
    start = time.perf_counter()
    with Workspace.open(root) as workspace:
        workspace.columns.save_snapshot()
    found["indexed_s"] = round(time.perf_counter() - start, 1)
    # The folders' times have to settle before they can be relied on.
    time.sleep(2.5)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rows-per-shard", type=int, default=33)
    parser.add_argument("--real", type=int, default=20_000)
    options = parser.parse_args()
    print(json.dumps(make_workspace(options.directory, options.rows, options.rows_per_shard, options.real)))


if __name__ == "__main__":
    main()
