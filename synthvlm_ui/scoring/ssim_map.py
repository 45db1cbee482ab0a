"""SSIM pixel by pixel, to be looked at: where two pictures of one size agree.

Same definition as the score (see ``ssim_kernels``); the mean over the map without its border is that number.
Knows no route and no file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.scoring.ssim_kernels import WINDOW_PX


def ssim_map(first: UInt8Image, second: UInt8Image) -> tuple[float, NDArray[np.float32]]:
    """The mean SSIM of two pictures and the map of it. Shapes: two (height, width, channels) uint8 -> (height, width)
    in [-1, 1], the mean over channels. Raises: BadSetting for different or too small sizes.
    """
    if first.shape != second.shape or min(first.shape[:2]) < WINDOW_PX:
        raise BadSetting(f"no SSIM map of {first.shape} and {second.shape}",
                         fix=f"Give two pictures of one size, at least {WINDOW_PX} px a side.")
    from skimage.metrics import structural_similarity

    mean, full = structural_similarity(first, second, channel_axis=2, data_range=255, full=True)
    return float(mean), np.asarray(full, np.float32).mean(axis=2)
