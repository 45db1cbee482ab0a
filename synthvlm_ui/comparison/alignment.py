"""Brings two pictures to one size, and turns numbers per pixel into colours.

Knows pixels; knows neither scores nor files.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthvlm_ui.protocols import UInt8Image

MAX_SIDE_PX = 768
# From dark to light, and distinct also in greys and for the colour-blind: black, violet, red, orange, light yellow.
_RAMP = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], np.float64)


def aligned(first: UInt8Image, second: UInt8Image, max_side_px: int = MAX_SIDE_PX) -> tuple[UInt8Image, UInt8Image]:
    """Both cut from the middle to the narrower of their shapes and scaled to the size of the smaller.

    Nothing is stretched, and nothing is enlarged beyond the larger picture. Shapes: (height, width, 3) uint8.
    """
    aspects = [image.shape[1] / image.shape[0] for image in (first, second)]
    aspect = 1.0 if min(aspects) < 1 < max(aspects) else min(aspects, key=lambda one: abs(np.log(one)))
    cut = [_cut(image, aspect) for image in (first, second)]
    height = min(min(image.shape[0] for image in cut), max_side_px, round(max_side_px / aspect))
    size = (max(1, round(height * aspect)), max(1, height))
    scaled = [_scaled(image, size) for image in cut]
    return scaled[0], scaled[1]


def difference(first: UInt8Image, second: UInt8Image) -> NDArray[np.float32]:
    """The mean absolute difference over channels, in [0, 1]. Shapes: two (H, W, 3) -> (H, W)."""
    return np.abs(first.astype(np.float32) - second.astype(np.float32)).mean(axis=2) / 255


def coloured(values: NDArray[np.floating]) -> UInt8Image:
    """Numbers from 0 (black) to 1 (light yellow) as colours; outside they are cut. Shapes: (H, W) -> (H, W, 3)."""
    place = np.clip(values, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(place.astype(np.int64), len(_RAMP) - 2)
    share = (place - low)[..., None]
    return np.rint(_RAMP[low] * (1 - share) + _RAMP[low + 1] * share).astype(np.uint8)


def _cut(image: UInt8Image, aspect: float) -> UInt8Image:
    height, width = image.shape[:2]
    new_width, new_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - new_width) // 2, (height - new_height) // 2
    return image[top:top + new_height, left:left + new_width]


def _scaled(image: UInt8Image, size: tuple[int, int]) -> UInt8Image:
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.BICUBIC))
