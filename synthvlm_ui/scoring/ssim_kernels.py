"""Mean structural similarity of two uint8 images, three ways with one definition.

Definition (scikit-image's default, after Wang et al. 2004): uniform 7 x 7 window, sample covariance, K1 = 0.01,
K2 = 0.03, data range 255, borders of 3 px left out, mean over pixels and channels. scikit-image is the reference; the
other two agree with it within 1e-5 on every kind of picture (tests/parity). The package fast-ssim is as fast as the
one compiled by numba and not used: its sums in 32-bit floats cancel in bright areas of little contrast (up to 5e-5).

Knows nothing of resizing, files or captions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Kernel = Callable[[UInt8, UInt8], float]

WINDOW_PX = 7
_BORDER_PX = WINDOW_PX // 2
_PIXELS = WINDOW_PX**2
# The two constants of the definition, multiplied through by the denominators so that window sums need no division.
_C1 = np.float32((0.01 * 255) ** 2 * _PIXELS**2)
_C2 = np.float32((0.03 * 255) ** 2 * _PIXELS * (_PIXELS - 1))
# Rows per strip: a strip's window sums then stay in the cache between the passes over them.
_STRIP_ROWS = 24


def reference_ssim(first: UInt8, second: UInt8) -> float:
    """scikit-image's structural_similarity. Shapes: (height, width, channels), both sides at least WINDOW_PX."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(first, second, channel_axis=2, data_range=255))


def box_ssim(first: UInt8, second: UInt8) -> float:
    """The same with OpenCV's box filter on whole numbers. Shapes: as reference_ssim.

    Window sums of 8-bit products are exact in 32-bit integers, and so are the covariances made of them; rounding
    enters only in the last quotient, hence no cancellation in flat or bright areas.
    """
    height, width, channels = first.shape
    last = height - WINDOW_PX + 1
    total = sum(
        _strip_sum(first[top : min(top + _STRIP_ROWS, last) + WINDOW_PX - 1],
                   second[top : min(top + _STRIP_ROWS, last) + WINDOW_PX - 1])
        for top in range(0, last, _STRIP_ROWS)
    )
    return total / (last * (width - WINDOW_PX + 1) * channels)


def _strip_sum(first: UInt8, second: UInt8) -> float:
    difference = np.subtract(first, second, dtype=np.uint16)
    difference *= difference  # wraps modulo 2**16, which the square of a byte difference never needs
    sum_first = _window_sums(first)
    sum_second = _window_sums(second)
    covariance = _window_sums(np.multiply(first, second, dtype=np.uint16)) * _PIXELS
    spread = _window_sums(difference) * _PIXELS
    apart = sum_first - sum_second
    apart *= apart
    product = sum_first * sum_second
    covariance -= product
    spread -= apart  # = var(first) + var(second) - 2 cov, all times 49 * 48

    means = product.astype(np.float32)
    means *= 2
    means += _C1
    mean_squares = apart.astype(np.float32)
    mean_squares += means
    twice_covariance = covariance.astype(np.float32)
    twice_covariance *= 2
    twice_covariance += _C2
    variances = spread.astype(np.float32)
    variances += twice_covariance
    means *= twice_covariance
    mean_squares *= variances
    means /= mean_squares
    return float(means.sum(dtype=np.float64))


def _window_sums(values: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.int32]:
    import cv2

    sums: NDArray[np.int32] = np.asarray(
        cv2.boxFilter(values, cv2.CV_32S, (WINDOW_PX, WINDOW_PX), normalize=False), np.int32
    ).reshape(values.shape)  # OpenCV drops a channel axis of length 1
    return sums[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]


def compiled_ssim(first: UInt8, second: UInt8) -> float:
    """The same compiled by numba, which the first call loads; four times as fast. Shapes: as reference_ssim."""
    from synthvlm_ui.scoring.ssim_fused import fused_ssim

    return fused_ssim(first, second)


KERNELS: dict[str, Kernel] = {"numba": compiled_ssim, "opencv": box_ssim, "scikit-image": reference_ssim}
# Below this many values OpenCV is done before numba's compiled code is even loaded.
_WORTH_COMPILING = 512 * 512 * 3


def best_kernel(values: int = _WORTH_COMPILING) -> str:
    """The name of the fastest kernel that this installation has for pictures of so many values."""
    if values >= _WORTH_COMPILING and _numba_works():
        return "numba"
    return "opencv" if _has_opencv() else "scikit-image"


def _has_opencv() -> bool:
    try:
        return importlib.util.find_spec("cv2") is not None
    except ValueError:  # another thread is importing it: for a moment it is there without a spec
        return True


@lru_cache(maxsize=1)
def _numba_works() -> bool:
    """Whether numba is here and compiles: it refuses, for one, where it may write its cache nowhere."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        flat = np.zeros((WINDOW_PX, WINDOW_PX, 3), np.uint8)
        return compiled_ssim(flat, flat) == 1.0
    except Exception:  # whatever keeps a compiler from compiling; the other kernels give the same number
        return False
