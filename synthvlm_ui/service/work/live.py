"""What can be seen of a chunk while it is being made: files in the job directory, written by the worker.

Knows neither jobs nor shards. Nothing here is truth: when the chunk's shard is written its pictures are read from
there, and the files of the running chunk are dropped.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.records import Candidate

_SUFFIXES = {".webp": "image/webp", ".png": "image/png", ".jpeg": "image/jpeg"}
_KEPT_CHUNKS = 4


class LiveWriter:
    """Appends one line per image to the running chunk's list and keeps its file beside it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._sequence = max((row["seq"] for row in read_live(directory, 0)), default=0)
        self._chunk = 0

    def begin_chunk(self, chunk: int) -> None:
        self._chunk = chunk
        self._list(chunk).unlink(missing_ok=True)

    def show(self, candidate: Candidate, image: bytes | None, suffix: str, scores: Mapping[str, float]) -> None:
        if image is not None:
            partial = self._directory / f"{candidate.id}.{suffix}.tmp"
            partial.write_bytes(image)
            os.replace(partial, self._directory / f"{candidate.id}.{suffix}")
        self._sequence += 1
        row = {"seq": self._sequence, "candidate_id": candidate.id, "caption": candidate.caption,
               "prompt": candidate.prompt, "seed": candidate.seed, "status": candidate.status,
               "error_message": candidate.error_message, "clip_cosine": _number(scores.get("clip_cosine")),
               "ssim": _number(scores.get("ssim"))}
        with self._list(self._chunk).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def end_chunk(self) -> None:
        """Drops the pictures of the chunk that is now a shard, and the lists nobody will ask for any more."""
        for path in self._directory.iterdir():
            if path.suffix in _SUFFIXES or path.suffix == ".tmp":
                path.unlink(missing_ok=True)
        for path in sorted(self._directory.glob("chunk-*.jsonl"))[:-_KEPT_CHUNKS]:
            path.unlink(missing_ok=True)

    def _list(self, chunk: int) -> Path:
        return self._directory / f"chunk-{chunk:06d}.jsonl"


def read_live(directory: Path, after: int) -> list[dict[str, Any]]:
    """The rows with a sequence number above ``after``, oldest first; a half-written last line is left for next time."""
    rows: list[dict[str, Any]] = []
    for path in sorted(directory.glob("chunk-*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            continue
        for line in lines[:-1]:
            row = json.loads(line)
            if row["seq"] > after:
                rows.append(row)
    return sorted(rows, key=lambda row: int(row["seq"]))


def read_live_image(directory: Path, candidate_id: str) -> tuple[bytes, str] | None:
    """The file of one image of the running chunk and its media type, or None when it is not (or no longer) there."""
    if not candidate_id.isalnum():
        return None
    for suffix, media_type in _SUFFIXES.items():
        try:
            return (directory / f"{candidate_id}{suffix}").read_bytes(), media_type
        except FileNotFoundError:
            continue
    return None


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 5)
