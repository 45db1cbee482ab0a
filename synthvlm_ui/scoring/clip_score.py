"""CLIPScore as a raw cosine, and the scales on which it is commonly shown.

Stored is always the cosine of the image's and the caption's embedding in [-1, 1]; Hessel et al. 2021 (2.5 times it, cut
at 0), SynthVLM (the cosine, cut at 0) and torchmetrics (100 times it) are display units of the same number. Numbers of
different models, tags or prefixes are not comparable, which is why all three are settings.

Knows no engine: it is given an Embedder.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.protocols import Embedder, FloatMatrix, ScoredBatch, UInt8Image
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.scoring.images import is_rgb

Numbers = NDArray[np.floating]
PREFIX = "A photo depicts "
CACHED_CAPTIONS = 20_000


def as_cosine(cosine: Numbers) -> Numbers:
    """The cosine itself: what SynthVLM's tables show, 0.2 to 0.4 for real pairs under ViT-B/32."""
    return cosine


def as_hessel(cosine: Numbers) -> Numbers:
    """2.5 * max(cosine, 0): CLIPScore as Hessel et al. 2021 define it."""
    return 2.5 * np.maximum(cosine, 0)


def as_percent(cosine: Numbers) -> Numbers:
    """100 * cosine: torchmetrics' and MLPerf's scale (each pair; torchmetrics cuts the mean at 0, not the pairs)."""
    return 100 * cosine


SCALES: Mapping[str, Callable[[Numbers], Numbers]] = {
    "cosine": as_cosine, "hessel": as_hessel, "percent": as_percent,
}


class ClipScorer:
    """Writes ``clip_cosine`` (float32) and ``truncated`` (bool), and returns the image embeddings in float16.

    The cosine is taken before the embeddings are rounded to float16. Each distinct caption is encoded once, and the
    last ``cached_captions`` of them are remembered over calls (2 KiB each at 512 dimensions).
    """

    def __init__(self, embedder: Embedder, prefix: str = PREFIX, cached_captions: int = CACHED_CAPTIONS) -> None:
        self._embedder = embedder
        self._prefix = prefix
        self._limit = cached_captions
        self._texts: OrderedDict[str, tuple[FloatMatrix, bool]] = OrderedDict()
        self.info = ScorerInfo("clip", ("clip_cosine", "truncated"), {**embedder.info.settings, "prefix": prefix})

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        """Shapes: two (N,) columns, (N, D) embeddings; NaN where the image is not (height, width, 3) uint8."""
        texts = self._encode(captions)
        usable = [index for index, image in enumerate(images) if is_rgb(image)]
        vectors = np.full((len(images), self._embedder.dimension), np.nan, np.float32)
        if usable:
            vectors[usable] = self._embedder.embed_images([images[index] for index in usable])
        wanted = np.array([texts[caption][0] for caption in captions], np.float32).reshape(vectors.shape)
        cosines = np.clip(np.einsum("nd,nd->n", vectors, wanted), -1, 1)
        truncated = np.array([texts[caption][1] for caption in captions], np.bool_)
        columns = {"clip_cosine": cosines.astype(np.float32), "truncated": truncated}
        return ScoredBatch(columns, vectors.astype(np.float16))

    def _encode(self, captions: Sequence[str]) -> Mapping[str, tuple[FloatMatrix, bool]]:
        """Embedding and truncation of each distinct caption of this call, from memory where it is remembered."""
        distinct = list(dict.fromkeys(captions))
        found = {caption: self._texts[caption] for caption in distinct if caption in self._texts}
        fresh = [caption for caption in distinct if caption not in found]
        if fresh:
            prompts = [self._prefix + caption for caption in fresh]
            pairs = zip(self._embedder.embed_texts(prompts), self._embedder.truncated(prompts), strict=True)
            found |= {caption: (vector, bool(cut)) for caption, (vector, cut) in zip(fresh, pairs, strict=True)}
        for caption in distinct:
            self._texts[caption] = found[caption]
            self._texts.move_to_end(caption)
        while len(self._texts) > self._limit:
            self._texts.popitem(last=False)
        return found
