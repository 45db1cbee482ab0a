"""Comparison: real against synthetic, pair by pair and set against set. It measures and never decides.

Knows arrays, pixels and file contents; where they lie, and who was asked, the service says.
"""

from synthvlm_ui.comparison.agreement import (
    clustered_interval,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    wilson_interval,
)
from synthvlm_ui.comparison.distances import CMMD_MAX_ROWS, Cmmd, cmmd, frechet_distance
from synthvlm_ui.comparison.overlap import MAP_MAX_ROWS, nearest_neighbour_share, sample_rows
from synthvlm_ui.comparison.pairs import ORDERS, SCORES, Pairs, combined, gaps, order_of_captions, pair_up
from synthvlm_ui.comparison.preference import (
    CHOICES,
    Choice,
    Outcome,
    Ratings,
    Trial,
    agreement_with_score,
    summary,
    trials_of,
)
from synthvlm_ui.comparison.real_images import RealImage, RefusedImage, read_real_image

__all__ = [
    "CHOICES", "CMMD_MAX_ROWS", "MAP_MAX_ROWS", "ORDERS", "SCORES", "Choice", "Cmmd", "Outcome", "Pairs",
    "Ratings", "RealImage", "RefusedImage", "Trial", "agreement_with_score", "clustered_interval", "cmmd",
    "cohen_kappa", "combined", "fleiss_kappa", "frechet_distance", "gaps", "krippendorff_alpha",
    "nearest_neighbour_share", "order_of_captions", "pair_up", "read_real_image", "sample_rows", "summary", "trials_of",
    "wilson_interval",
]
