"""Pictures of what differs: the difference, SSIM pixel by pixel, and what the round trip through 336 px loses.

Joins decoding, alignment and SSIM; knows no store.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from synthvlm_ui.comparison.alignment import aligned, coloured, difference
from synthvlm_ui.pipeline import decode_image
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.scoring import round_trip, route_of, ssim_map

KINDS = ("difference", "ssim", "round-trip")


def picture(kind: str, first: bytes, second: bytes) -> tuple[bytes, str]:
    """A WebP. ``difference``: black where equal; ``ssim``: light where the structure is the same; ``round-trip``: the
    SSIM map behind the second image's own score, light where nothing is lost. Raises: OSError for broken files.
    """
    if kind == "round-trip":
        before, after = round_trip(decode_image(second), route_of("paper"))
        return _webp(coloured(_shown(ssim_map(before, after)[1])))
    one, other = aligned(decode_image(first), decode_image(second))
    values = difference(one, other) if kind == "difference" else _shown(ssim_map(one, other)[1])
    return _webp(coloured(values))


def _shown(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray[tuple[int, ...],
                                                                                   np.dtype[np.float32]]:
    """SSIM from 0 on: below, two structures are opposed, which is as different as it needs to look."""
    return np.maximum(values, 0)


def _webp(pixels: UInt8Image) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=30, method=0)
    return buffer.getvalue(), "image/webp"
