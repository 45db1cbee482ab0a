"""SSIM over the whole image and its four quadrants, each after its own round trip: FUSION's variant of the score.

Source: arXiv 2504.09925 (w1 * SSIM of the whole + w2 * the sum over 2 x 2 quadrants, w1 = 1, w2 = 0.25, a vision
encoder of 384 px), so that the highest value is 2. Sizes other than 1024 px travel by the same ratios, as in ``ssim``.
Knows no caption and no threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np

from synthvlm_ui.protocols import RoundTripEngine, ScoredBatch, UInt8Image
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.scoring.images import is_rgb, usable_processors
from synthvlm_ui.scoring.ssim import PILLOW, SsimRoute, round_trip_ssim
from synthvlm_ui.scoring.ssim_kernels import WINDOW_PX

WHOLE_WEIGHT, QUADRANT_WEIGHT = 1.0, 0.25
WHOLE = SsimRoute("whole", side_px=384, full_px=1024)
QUADRANT = SsimRoute("quadrant", side_px=384, full_px=512)


def quadrants(image: UInt8Image) -> list[UInt8Image]:
    """The four quarters, row by row; an odd side gives its middle line to the later half. Shape: (height, width, 3)."""
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    return [image[top, left] for top in (slice(rows), slice(rows, None))
            for left in (slice(columns), slice(columns, None))]


def tiled_ssim(image: UInt8Image, engine: RoundTripEngine = PILLOW) -> float:
    """The weighted sum, at most 2; NaN for what is no RGB image or whose quadrants are smaller than SSIM's window."""
    if not is_rgb(image):
        return float("nan")
    parts = sum(round_trip_ssim(part, QUADRANT, engine=engine) for part in quadrants(image))
    return WHOLE_WEIGHT * round_trip_ssim(image, WHOLE, engine=engine) + QUADRANT_WEIGHT * parts


class TiledSsimScorer:
    """Writes ``ssim_tiled`` (float32). Captions are not looked at."""

    def __init__(self, threads: int | None = None, engine: RoundTripEngine = PILLOW) -> None:
        self._engine = engine
        self._threads = threads or usable_processors()
        self.info = ScorerInfo(
            name="ssim-tiled",
            columns=("ssim_tiled",),
            settings={"whole": asdict(WHOLE), "quadrant": asdict(QUADRANT), "whole_weight": WHOLE_WEIGHT,
                      "quadrant_weight": QUADRANT_WEIGHT, "window_px": WINDOW_PX, "resampling": engine.resampling},
        )

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        """Shapes: one (N,) column, no embeddings."""
        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            numbers = list(pool.map(lambda image: tiled_ssim(image, self._engine), images))
        return ScoredBatch({"ssim_tiled": np.array(numbers, np.float32)})
