"""A worker whose chunks wait and then write their shard, as a worker of a card does; in a module of its own, since
Ray's processes import it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from small_workspace import candidate_of

from synthvlm_ui.generation import encode_image, encode_thumbnail
from synthvlm_ui.store import ShardMember, Workspace

DATASET = "waiting"


@dataclass(frozen=True)
class WaitingChunks:
    """jobs.ChunkWorker: ``chunk_s`` seconds a chunk, then its shard of ``images`` is written."""

    root: str
    chunk_s: float
    images: int

    def prepare(self) -> dict[str, Any]:
        return {"planned": True}

    def run_chunk(self, chunk: int) -> dict[str, Any]:
        started, pixels = time.monotonic(), np.zeros((64, 64, 3), np.uint8)
        candidates = [candidate_of(DATASET, f"a cat number {chunk}", number) for number in range(self.images)]
        members = [ShardMember(candidate, encode_image(pixels, candidate), "webp", encode_thumbnail(pixels))
                   for candidate in candidates]
        time.sleep(max(0.0, self.chunk_s - (time.monotonic() - started)))
        with Workspace.open(self.root) as workspace:
            workspace.shards.write(DATASET, f"s-{chunk:06d}", members)
        return {"images": [[candidate.id, "ok", "", {"clip_cosine": 0.3}] for candidate in candidates]}

    def stop(self) -> None: ...
