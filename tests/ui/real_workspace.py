"""Real images beside the candidates of ``small_workspace``, with scores and embeddings of the same scorers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from small_workspace import fill

from synthvlm_ui.comparison import RealImage
from synthvlm_ui.records import Caption, ScorerInfo, caption_id_of
from synthvlm_ui.service import Studio
from synthvlm_ui.service.real_images.real_images_job import real_candidate
from synthvlm_ui.store import ShardMember

CAPTIONS = [f"a cat and {number} stars" for number in range(6)]
CLIP = ScorerInfo("clip", ("clip_cosine",), {"model": "test"})
SSIM = ScorerInfo("ssim", ("ssim",), {"route": "64-21-64"})


def encoded(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def add_real(studio: Studio, dataset: str, captions: list[str], *, scored: bool = True,
             clip: ScorerInfo = CLIP, ids: list[str] | None = None) -> None:
    """A real image of each caption, with scores and embeddings; ``ids`` are the captions' own, if not of their text."""
    rng = np.random.default_rng(1)
    members = []
    for number, caption in enumerate(captions):
        pixels = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
        found = RealImage(pixels, encoded(pixels), "png", f"{number:064x}")
        caption_id = ids[number] if ids else caption_id_of(caption)
        candidate = real_candidate(dataset, Caption(caption_id, caption), found)
        members.append(ShardMember(candidate, found.original, "png", found.original))
    made = [member.candidate.id for member in members]
    if scored:
        values = np.linspace(0.2, 0.3, len(made), dtype=np.float32)
        vectors = rng.normal(size=(len(made), 8)).astype(np.float32)
        studio.workspace.scores.write(dataset, "real-1", clip, made, {"clip_cosine": values}, vectors)
        studio.workspace.scores.write(dataset, "real-1", SSIM, made, {"ssim": values * 2})
    studio.workspace.shards.write(dataset, "real-1", members)


def compared(studio: Studio) -> None:
    """A dataset "toys" with two candidates and a real image of each caption, all scored and embedded."""
    made = fill(studio, "toys", CAPTIONS, 2)
    vectors = np.random.default_rng(0).normal(size=(len(made), 8)).astype(np.float32)
    studio.workspace.scores.write("toys", "shard-1", CLIP, [one.id for one in made],
                                  {"clip_cosine": np.linspace(0.1, 0.4, len(made), dtype=np.float32)}, vectors)
    add_real(studio, "toys", CAPTIONS)
    studio.refresh()
