"""Scoring: numbers about (image, caption) pairs, each stored with everything it depends on. It never decides.

* ``clip``   raw cosine of image and caption embeddings, with the image embeddings
* ``ssim``   what is left of an image after a round trip through 336 px
* ``ssim-tiled`` the same over the whole and its quadrants, as FUSION weighs them
* ``guards`` blank, black and blurred images, which SSIM alone would rank first; a perceptual hash
"""

from synthvlm_ui.scoring.clip_score import PREFIX, SCALES, ClipScorer, as_cosine, as_hessel, as_percent
from synthvlm_ui.scoring.guards import GUARDS, GuardScorer, GuardThresholds
from synthvlm_ui.scoring.score import OPEN_SCORERS, SCORERS, build_scorers, parse_scorers, scorer_names
from synthvlm_ui.scoring.ssim import ROUTES, SSIM_STATUS, SsimRoute, SsimScorer, round_trip, round_trip_ssim, route_of
from synthvlm_ui.scoring.ssim_map import ssim_map

__all__ = [
    "GUARDS", "OPEN_SCORERS", "PREFIX", "ROUTES", "SCALES", "SCORERS", "SSIM_STATUS",
    "ClipScorer", "GuardScorer", "GuardThresholds", "SsimRoute", "SsimScorer",
    "as_cosine", "as_hessel", "as_percent", "build_scorers", "parse_scorers", "round_trip",
    "round_trip_ssim", "route_of", "scorer_names", "ssim_map",
]
