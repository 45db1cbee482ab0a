"""CLIPScore and SSIM of a set's images, and which pairs a selection rule takes (SynthVLM section 3.2).

Scores come from the scoring room, the order from the selection room: what is compared is what the program does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.backends import create_embedder
from synthvlm_ui.findings.sets import PairSet
from synthvlm_ui.findings.tasks import Part
from synthvlm_ui.protocols import TokenGenerator
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.scoring import ClipScorer, SsimScorer
from synthvlm_ui.selection import combined_score

_BLOCK = 64
RULES = {
    "paper": SelectionRule("pool"),
    "clip": SelectionRule("pool", ssim_weight=0.0),
    "ssim": SelectionRule("pool", clip_scale=0.0),
}

Columns = dict[str, NDArray[np.float32]]


def score_set(generator: TokenGenerator, pairs: PairSet, on_done: Callable[[int, int], None]) -> Columns:
    """``clip_cosine`` and ``ssim`` (N,) float32 of the images that tokens stand for."""
    scorers = ClipScorer(create_embedder("miniature", "cpu")), SsimScorer(threads=1)
    found: dict[str, list[NDArray[np.float32]]] = {"clip_cosine": [], "ssim": []}
    for start in range(0, len(pairs.captions), _BLOCK):
        on_done(start, len(pairs.captions))
        images = generator.decode_tokens(pairs.tokens[start:start + _BLOCK])
        for scorer in scorers:
            columns = scorer.score(images, pairs.captions[start:start + _BLOCK]).columns
            for name in found.keys() & columns.keys():
                found[name].append(np.asarray(columns[name], np.float32))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def chosen_rows(part: Part, size: int, seed: int, scores: Callable[[], Columns]) -> NDArray[np.int64]:
    """Rows of a set that a part takes: nested subsets of one random order per seed, or the best by a rule."""
    count = size if part.count is None else min(part.count, size)
    if part.order == "random":
        return np.random.default_rng([seed, 42]).permutation(size)[:count]
    combined = combined_score(RULES[part.order], scores())
    return np.argsort(-combined, kind="stable")[:count]
