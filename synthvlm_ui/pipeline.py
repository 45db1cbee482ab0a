"""The stages in order, over one chunk or one shard: draw -> score -> encode -> write.

This is the table of contents of the program. It joins rooms and is given everything it works with: an open workspace,
a plan, loaded engines. It does not know jobs, processes, screens or command lines, so any executor can call it, and
twice: a chunk whose shard exists is done.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from synthvlm_ui.generation import (
    Begun,
    Draft,
    Drawn,
    Gated,
    Plan,
    begin,
    cascade_sums,
    encode_image,
    encode_thumbnail,
    finish,
    gate,
    in_turn,
    overlapped,
)
from synthvlm_ui.protocols import ImageGenerator, ScoredBatch, Scorer, UInt8Image
from synthvlm_ui.records import Candidate, ScorerInfo
from synthvlm_ui.store import ShardMember, Workspace

ENCODING_THREADS = 4


@dataclass(frozen=True)
class ChunkEngines:
    """What a chunk is made with. ``overlap``: denoise the next batch while this one is decoded and scored and the last
    one encoded; the same pixels and numbers as one after the other. ``draft`` keeps captions from being drawn.
    """

    generator: ImageGenerator
    scorers: Sequence[Scorer] = ()
    overlap: bool = True
    draft: Draft | None = None


@dataclass(frozen=True)
class Shown:
    """One finished image with its first scores, for whoever is watching; ``image`` is the encoded file or None."""

    candidate: Candidate
    image: bytes | None
    scores: Mapping[str, float]


@dataclass(frozen=True)
class ChunkReport:
    """What one chunk came to; ``finished`` is False when it was stopped half-way and nothing was written.

    ``gated`` images were not drawn because of their drafts; ``cascade`` holds what ``cascade_report`` is made from.
    """

    generated: int = 0
    failed: int = 0
    skipped: int = 0
    finished: bool = True
    gated: int = 0
    cascade: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Collected:
    """Scores of one scorer over the batches of a chunk."""

    scorer: ScorerInfo
    ids: list[str] = field(default_factory=list)
    batches: list[ScoredBatch] = field(default_factory=list)

    def add(self, ids: Sequence[str], batch: ScoredBatch) -> None:
        self.ids.extend(ids)
        self.batches.append(batch)

    def columns(self) -> dict[str, np.ndarray[Any, Any]]:
        return {name: np.concatenate([batch.columns[name] for batch in self.batches]) for name in self.scorer.columns}

    def embeddings(self) -> np.ndarray[Any, Any] | None:
        parts = [batch.embeddings for batch in self.batches if batch.embeddings is not None]
        return np.concatenate(parts) if parts and len(parts) == len(self.batches) else None


def make_chunk(workspace: Workspace, plan: Plan, chunk: int, engines: ChunkEngines, *, is_done: Callable[[str], bool],
               show: Callable[[Shown], None], should_stop: Callable[[], bool]) -> ChunkReport:
    """Draws, scores, encodes and writes one chunk of a plan; writes its shard last, as the record that it is done.

    ``is_done(candidate_id)`` names candidates that another run has already made: they are skipped.
    Scores are taken from the pixels before encoding. ``show`` is called in order and in the calling thread.
    Raises: OutOfMemory, DeviceLost, DiskFull, whatever a scorer raises.
    """
    shard = plan.shard(chunk)
    planned = list(plan.candidates(chunk))
    if workspace.shards.exists(plan.dataset, shard):
        return ChunkReport(skipped=len(planned))
    todo = [candidate for candidate in planned if not is_done(candidate.id)]
    if not todo:
        return ChunkReport(skipped=len(planned))
    collected = [_Collected(scorer.info) for scorer in engines.scorers]
    members: list[ShardMember] = []
    batch_size, started = plan.settings.batch_size or 1, time.monotonic()
    gated = gate(engines.draft, todo, batch_size, should_stop) if engines.draft else Gated(todo, [], 0)
    if gated is None:
        return ChunkReport(finished=False)
    for refused in gated.gated:
        members.append(ShardMember(refused, None, plan.settings.image_format, None))
        show(Shown(refused, None, {}))
    drafted = time.monotonic()
    begun = begin(engines.generator, gated.passed, batch_size, should_stop)
    cosines: list[tuple[Candidate, float]] = []
    for batch in _finished(begun, engines, collected, plan.settings.image_format):
        for member, first_scores in batch:
            members.append(member)
            show(Shown(member.candidate, member.image, first_scores))
            cosines.append((member.candidate, first_scores.get("clip_cosine", math.nan)))
    if len(members) < len(todo):
        return ChunkReport(finished=False)
    cascade = {} if engines.draft is None else {
        **cascade_sums(engines.draft, gated, cosines), "draft_s": drafted - started,
        "full_s": time.monotonic() - drafted}
    for scores in collected:
        if scores.ids:
            workspace.scores.write(
                plan.dataset, shard, scores.scorer, scores.ids, scores.columns(), scores.embeddings())
    workspace.shards.write(plan.dataset, shard, members)
    failed = sum(member.candidate.status == "failed" for member in members)
    return ChunkReport(len(members) - failed - len(gated.gated), failed, len(planned) - len(todo),
                       gated=len(gated.gated), cascade=cascade)


def score_shard(workspace: Workspace, dataset: str, shard: str, scorers: Sequence[Scorer], *, rescore: bool,
                batch_size: int = 32) -> tuple[int, int]:
    """Scores the images of one shard with every scorer that has not done so; touches no other scorer's numbers.

    Returns (images scored, images that could not be read). Raises: CorruptData when the shard does not read back.
    """
    present = () if rescore else workspace.scores.keys(dataset, shard)
    missing = [scorer for scorer in scorers if scorer.info.key not in present]
    if not missing:
        return 0, 0
    collected = [_Collected(scorer.info) for scorer in missing]
    drawn, unreadable, scored = [], 0, 0
    for member in workspace.shards.read(dataset, shard):
        if member.image is None:
            continue
        try:
            drawn.append(Drawn(member.candidate, decode_image(member.image)))
        except (OSError, ValueError):
            unreadable += 1
        if len(drawn) == batch_size:
            scored += len(_score_drawn(drawn, missing, collected))
            drawn = []
    if drawn:
        scored += len(_score_drawn(drawn, missing, collected))
    for scores in collected:
        if scores.ids:
            workspace.scores.write(dataset, shard, scores.scorer, scores.ids, scores.columns(), scores.embeddings())
    return scored, unreadable


def decode_image(data: bytes) -> UInt8Image:
    """RGB pixels, (height, width, 3) uint8, of a file this program wrote. Raises: OSError, ValueError."""
    with Image.open(io.BytesIO(data), formats=("WEBP", "PNG", "JPEG")) as image:
        return np.asarray(image.convert("RGB"))


def _finished(begun: Iterable[Begun], engines: ChunkEngines, collected: Sequence[_Collected],
              image_format: str) -> Iterator[list[tuple[ShardMember, dict[str, float]]]]:
    """Batches ready to be written, each image with its first scores; ends its threads when left."""

    def decode_and_score(batch: Begun) -> tuple[list[Drawn], dict[str, dict[str, float]]]:
        drawn = finish(engines.generator, batch)
        return drawn, _score_drawn(drawn, engines.scorers, collected)

    def encode(batch: tuple[list[Drawn], dict[str, dict[str, float]]]) -> list[tuple[ShardMember, dict[str, float]]]:
        drawn, scores = batch
        members = pool.map(lambda one: _member(one, image_format), drawn)
        return [(member, scores.get(member.candidate.id, {})) for member in members]

    run = overlapped if engines.overlap else in_turn
    with ThreadPoolExecutor(ENCODING_THREADS, "encode") as pool, \
            closing(run(begun, decode_and_score, encode)) as batches:
        yield from batches


def _score_drawn(batch: Sequence[Drawn], scorers: Sequence[Scorer],
                 collected: Sequence[_Collected]) -> dict[str, dict[str, float]]:
    """Adds the batch to ``collected`` and returns the plain numbers per candidate id."""
    pictures = [(drawn.candidate, drawn.pixels) for drawn in batch if drawn.pixels is not None]
    if not pictures:
        return {}
    ids = [candidate.id for candidate, _ in pictures]
    numbers: dict[str, dict[str, float]] = {candidate_id: {} for candidate_id in ids}
    for scorer, scores in zip(scorers, collected, strict=True):
        result = scorer.score([pixels for _, pixels in pictures], [candidate.caption for candidate, _ in pictures])
        scores.add(ids, result)
        for name, values in result.columns.items():
            for candidate_id, value in zip(ids, values.tolist(), strict=True):
                numbers[candidate_id][name] = value
    return numbers


def _member(drawn: Drawn, image_format: str) -> ShardMember:
    if drawn.pixels is None:
        return ShardMember(drawn.candidate, None, image_format, None)
    image = encode_image(drawn.pixels, drawn.candidate, image_format)
    return ShardMember(drawn.candidate, image, image_format, encode_thumbnail(drawn.pixels))
