"""Pairs of a real image and a synthetic one of the same caption, and how far their scores are apart.

Pure functions on columns; knows neither pixels nor files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting

ORDERS = ("largest-gap", "synthetic-better", "real-better", "caption")
SCORES = ("combined", "clip_cosine", "ssim")


@dataclass(frozen=True)
class Pairs:
    """One entry a pair of a real row and a candidate row of one caption, ordered by caption.

    Shapes: all (P,). ``real`` and ``candidate`` are positions in the caller's rows.
    """

    caption_code: NDArray[np.int64]
    real: NDArray[np.int64]
    candidate: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.real)


def pair_up(real_codes: NDArray[np.integer], candidate_codes: NDArray[np.integer]) -> Pairs:
    """Every candidate beside the real image of its caption; of several real images of a caption the last one counts.

    Shapes: the caption code of each real row (R,) and of each candidate (C,). A negative code belongs to no caption.
    """
    reals = np.asarray(real_codes, np.int64)
    codes, last = np.unique(reals[::-1], return_index=True)
    rows = len(reals) - 1 - last
    wanted = np.asarray(candidate_codes, np.int64)
    if not len(codes):
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, nothing)
    at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    candidates = np.flatnonzero((codes[at] == wanted) & (wanted >= 0))
    order = np.argsort(wanted[candidates], kind="stable")
    candidates = candidates[order]
    return Pairs(wanted[candidates], rows[at[candidates]], candidates)


def combined(scores: Mapping[str, NDArray[np.floating]], ssim_weight: float) -> NDArray[np.floating]:
    """CLIPScore + lambda * SSIM, as SynthVLM selects by; NaN where either is missing."""
    return scores["clip_cosine"] + ssim_weight * scores["ssim"]


def gaps(pairs: Pairs, real_scores: NDArray[np.floating],
         candidate_scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Candidate minus real for every pair; NaN where either has no score. Shapes: (R,), (C,) -> (P,)."""
    return candidate_scores[pairs.candidate].astype(np.float64) - real_scores[pairs.real].astype(np.float64)


def order_of_captions(pairs: Pairs, gap: NDArray[np.floating], order: str) -> NDArray[np.int64]:
    """The captions that have a pair, each once, in the order asked for; ties go by code, no score comes last.

    A caption stands where its most telling candidate puts it: the largest gap either way, the largest gain, the largest
    loss. Shapes: gap (P,) -> caption codes. Raises: BadSetting for an unknown order.
    """
    if order not in ORDERS:
        raise BadSetting(f"cannot order pairs by {order!r}", fix=f"Choose one of {', '.join(ORDERS)}.")
    codes, group = np.unique(pairs.caption_code, return_inverse=True)
    if order == "caption" or not len(codes):
        return codes
    signed = {"largest-gap": np.abs(gap), "synthetic-better": gap, "real-better": -gap}[order]
    best = np.full(len(codes), -np.inf)
    np.maximum.at(best, group, np.where(np.isnan(signed), -np.inf, signed))
    return codes[np.lexsort((codes, -best))]
