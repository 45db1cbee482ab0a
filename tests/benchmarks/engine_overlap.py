"""How much of the time the overlapped pipeline hides: stages that only sleep, in the real ``make_chunk``.

    python tests/benchmarks/engine_overlap.py [--denoise-s 0.2] [--decode-s 0.06] [--score-s 0.04] [--batches 12]

Prints one JSON line. ``ideal`` is what no pipeline can go below: the longest stage for every batch and the others once.
Real images are encoded and written on the processor meanwhile; ``serial`` is the same chunk one stage after the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from synthvlm_ui.generation import Plan, plan_items, resolve_settings
from synthvlm_ui.pipeline import ChunkEngines, make_chunk
from synthvlm_ui.protocols import ScoredBatch, UInt8Image
from synthvlm_ui.records import Caption, GenerationRequest, GenerationSettings, GeneratorInfo, ScorerInfo
from synthvlm_ui.store import Workspace

SIDE_PX, BATCH = 256, 4


class Sleeper:
    """A generator whose halves take the time that they are told to."""

    def __init__(self, denoise_s: float, decode_s: float) -> None:
        self.info = GeneratorInfo("sleeper", "sleeper", "r", "none", SIDE_PX, SIDE_PX, 4, 1.0)
        self._denoise_s, self._decode_s = denoise_s, decode_s

    def check(self, request: GenerationRequest) -> None:
        pass

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        pass

    def denoise(self, requests: Sequence[GenerationRequest]) -> list[int]:
        time.sleep(self._denoise_s)
        return [request.seed for request in requests]

    def decode(self, latents: Any) -> list[UInt8Image | Exception]:
        time.sleep(self._decode_s)
        return [np.full((SIDE_PX, SIDE_PX, 3), 1 + seed % 255, np.uint8) for seed in latents]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        return self.decode(self.denoise(requests))


class SleepingScorer:
    info = ScorerInfo("clip", ("clip_cosine",), {})

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        time.sleep(self._seconds)
        return ScoredBatch({"clip_cosine": np.zeros(len(images), np.float32)})


def chunk_s(options: argparse.Namespace, overlap: bool) -> float:
    """Seconds of one chunk, shard written."""
    engine = Sleeper(options.denoise_s, options.decode_s)
    captions = [Caption(f"c{number}", f"caption {number}") for number in range(options.batches * BATCH)]
    settings = resolve_settings(GenerationSettings("sleeper", batch_size=BATCH), engine.info)
    plan = Plan("set", settings, engine.info, plan_items(captions, [[one.caption] for one in captions]), len(captions),
                "2026-01-01")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "workspace")
        started = time.perf_counter()
        make_chunk(workspace, plan, 0, ChunkEngines(engine, [SleepingScorer(options.score_s)], overlap),
                   is_done=lambda _: False, show=lambda _: None, should_stop=lambda: False)
        seconds = time.perf_counter() - started
        workspace.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("denoise", 0.2), ("decode", 0.06), ("score", 0.04)):
        parser.add_argument(f"--{name}-s", type=float, default=default)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    chunk_s(options, True)  # imports, first files
    finishing = options.decode_s + options.score_s
    ideal = options.batches * max(options.denoise_s, finishing) + min(options.denoise_s, finishing)
    serial = min(chunk_s(options, False) for _ in range(options.repeats))
    overlapped = min(chunk_s(options, True) for _ in range(options.repeats))
    print(json.dumps({
        "benchmark": "engine_overlap", "batches": options.batches, "serial_s": round(serial, 3),
        "overlapped_s": round(overlapped, 3), "ideal_s": round(ideal, 3),
        "overlapped_of_serial": round(overlapped / serial, 3), "ideal_of_serial": round(ideal / serial, 3),
        "of_ideal": round(ideal / overlapped, 3)}))


if __name__ == "__main__":
    main()
