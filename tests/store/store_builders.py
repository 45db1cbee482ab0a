"""Candidates, shards and scores made up for the tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from synthvlm_ui.records import Candidate, ScorerInfo
from synthvlm_ui.store import CandidateColumns, ShardMember, Workspace, WorkspacePaths

CLIP = ScorerInfo("clip", ("clip_cosine", "truncated"), {"model": "tiny", "prefix": "A photo depicts "})
CLIP_LARGE = ScorerInfo("clip", ("clip_cosine", "truncated"), {"model": "large", "prefix": "A photo depicts "})
SSIM = ScorerInfo("ssim", ("ssim",), {"route": "decoded"})


def candidate(number: int, dataset: str = "sample", status: str = "ok") -> Candidate:
    facts = {
        "dataset": dataset,
        "caption_id": f"caption-{number // 2}",
        "prompt": f"a photo of {number}",
        "negative_prompt": None,
        "model": "tiny",
        "revision": "1",
        "sampler": "euler",
        "num_inference_steps": 4,
        "guidance_scale": 2.0,
        "width": 64,
        "height": 64,
        "seed": 7 * number,
        "repeat": number % 2,
    }
    return Candidate(
        id=Candidate.id_of(facts),
        caption=f"ä caption of {number}",
        prompt_template="{caption}",
        generator=f"generator-{number % 3}",
        run_seed=3,
        status="failed" if status == "failed" else "ok",
        error_message="out of ideas" if status == "failed" else "",
        **facts,
    )


def member(number: int, dataset: str = "sample", status: str = "ok", content: str = "") -> ShardMember:
    made = candidate(number, dataset, status)
    if status == "failed":
        return ShardMember(made, None)
    return ShardMember(made, f"image {number} {content}".encode(), "webp", f"thumbnail {number} {content}".encode())


def members(
    numbers: Sequence[int], dataset: str = "sample", failed: Sequence[int] = (), content: str = ""
) -> list[ShardMember]:
    return [member(number, dataset, "failed" if number in failed else "ok", content) for number in numbers]


def write_scores(
    workspace: Workspace,
    shard: str,
    scorer: ScorerInfo,
    base: float = 0.0,
    dataset: str = "sample",
    embeddings: bool = False,
) -> None:
    ids = [found.candidate.id for found in workspace.shards.read(dataset, shard)]
    columns = {name: (base + np.arange(len(ids)) / 8).astype(np.float32) for name in scorer.columns}
    workspace.scores.write(
        dataset, shard, scorer, ids, columns, np.ones((len(ids), 3), np.float32) if embeddings else None
    )


def register_rows(workspace: Workspace, count: int) -> None:
    """Gives ordinals to ``count`` candidates that have no shard."""
    ids = np.array([f"{number:016x}" for number in range(count)], dtype="S16")
    workspace.journal.registry.register([("sample", "away", ids)], 0, lambda news, wanted: np.ones(len(wanted), bool))


def decoded(columns: CandidateColumns) -> dict[str, dict[str, object]]:
    """Everything the columns say, by candidate id and free of codes, so that two indexes can be compared."""
    said = {}
    for row in columns.describe(np.arange(columns.n)):
        ordinal = row["ordinal"]
        if not row["ok"] and row["reason"] != "its generation failed":
            # What a lost shard once said may be remembered or not.
            row = {name: row[name] for name in ("ordinal", "id", "ok", "verdict", "scores")}
        else:
            row["generator"] = columns.generators[columns.generator_code[ordinal]]
            row["shard"] = columns.shard_of(ordinal)
        row["event"] = int(columns.verdict_event[ordinal])
        row["every score"] = [
            (scorer.key, {name: None if np.isnan(value) else value for name, value in found.items()})
            for scorer, found in columns.scores_of(ordinal)
            if not all(np.isnan(value) for value in found.values())
        ]
        said[row["id"]] = row
    return said


def fresh_columns(workspace: Workspace) -> CandidateColumns:
    """Columns built from shards, scores and journal alone."""
    columns = CandidateColumns(WorkspacePaths(workspace.root), workspace.journal)
    columns.rebuild()
    return columns


def flip_byte(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))
