"""Retrieval: how often a caption finds its picture, and a picture one of its captions, among all of a set.

Knows numbers about pairs, neither pictures nor models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RANKS = (1, 5, 10)
_BLOCK = 1024


def retrieval(images: NDArray[np.floating], captions: NDArray[np.floating], picture_of: Sequence[int],
              ranks: Sequence[int] = RANKS) -> dict[str, float]:
    """R@k in both directions, as shares: ``i2t_r1`` ... (some caption of the picture is among the first k) and
    ``t2i_r1`` ... (the caption's picture is); the convention of COCO and Flickr30k with several captions each.

    A rival with exactly the same similarity stands before, so that constant embeddings score nothing.

    Args:
        images: (N, D) unit vectors. captions: (M, D) unit vectors. picture_of: for every caption its picture's number.

    Raises: ValueError when a picture has no caption or the sizes do not fit.
    """
    owner = np.asarray(picture_of, np.int64)
    if len(owner) != len(captions) or len(images) == 0 or images.shape[1] != captions.shape[1]:
        raise ValueError("retrieval needs a picture number per caption, and vectors of one width")
    if set(owner.tolist()) != set(range(len(images))):
        raise ValueError("every picture needs a caption")
    best_own = np.full(len(images), np.iinfo(np.int64).max)
    rank_of_picture = np.empty(len(captions), np.int64)
    for start in range(0, len(captions), _BLOCK):
        part = slice(start, start + _BLOCK)
        similarity = captions[part] @ images.T
        own = similarity[np.arange(len(similarity)), owner[part]]
        rank_of_picture[part] = (similarity >= own[:, None]).sum(1) - 1
    for start in range(0, len(images), _BLOCK):
        numbers = np.arange(start, min(start + _BLOCK, len(images)))
        similarity = images[numbers] @ captions.T
        mine = owner[None] == numbers[:, None]
        best = np.where(mine, similarity, -np.inf).max(1)
        best_own[numbers] = ((similarity >= best[:, None]) & ~mine).sum(1)
    found = {f"i2t_r{k}": float((best_own < k).mean()) for k in ranks}
    return found | {f"t2i_r{k}": float((rank_of_picture < k).mean()) for k in ranks}
