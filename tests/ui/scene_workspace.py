"""Scenes of the small world with their captions, as candidates and as real images of a workspace."""

from __future__ import annotations

import numpy as np
from real_workspace import encoded
from small_workspace import candidate_of

from synthvlm_ui.comparison import RealImage
from synthvlm_ui.generation import encode_image, encode_thumbnail
from synthvlm_ui.miniature.corpora import CORPORA
from synthvlm_ui.records import Caption, ScorerInfo, caption_id_of
from synthvlm_ui.service import Studio
from synthvlm_ui.service.real_images.real_images_job import real_candidate
from synthvlm_ui.store import ShardMember


def fill_with_scenes(studio: Studio, dataset: str, count: int) -> None:
    """``count`` captions with a candidate and a real image each; the candidates have scores."""
    corpus = next(one for one in CORPORA if one.name == "world-heldout")
    rows = [corpus.row(number) for number in range(count)]
    captions = [row.caption for row in rows]
    studio.captions.import_texts("\n".join(captions), dataset)
    made, real = [], []
    for row, caption in zip(rows, captions, strict=True):
        pixels = row.pixels()
        candidate = candidate_of(dataset, caption, 0)
        made.append(ShardMember(candidate, encode_image(pixels, candidate), "webp", encode_thumbnail(pixels)))
        found = RealImage(pixels, encoded(pixels), "png", caption_id_of(caption) * 4)
        shown = real_candidate(dataset, Caption(caption_id_of(caption), caption), found)
        real.append(ShardMember(shown, encoded(pixels), "png", encode_thumbnail(pixels)))
    ids, spread = [one.candidate.id for one in made], np.linspace(0.1, 0.4, count, dtype=np.float32)
    clip, ssim = ScorerInfo("clip", ("clip_cosine",), {"model": "test"}), ScorerInfo("ssim", ("ssim",), {"route": "64"})
    studio.workspace.scores.write(dataset, "shard-1", clip, ids, {"clip_cosine": spread})
    studio.workspace.scores.write(dataset, "shard-1", ssim, ids, {"ssim": spread[::-1] * 2})
    studio.workspace.shards.write(dataset, "shard-1", made)
    studio.workspace.shards.write(dataset, "real-1", real)
    studio.refresh()
