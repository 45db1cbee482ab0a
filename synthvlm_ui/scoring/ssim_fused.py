"""Mean structural similarity of two uint8 images in one pass over them, compiled by numba when it is first used.

Running sums of whole numbers, so nothing cancels: rounding enters only in the last quotient. Definition and shapes as
in ``ssim_kernels``. Imported only where numba is installed.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
_WINDOW_PX = 7


def fused_ssim(first: UInt8, second: UInt8) -> float:
    """Shapes: two (height, width, channels), both sides at least 7 px."""
    height, width, channels = first.shape
    total = _total(np.ascontiguousarray(first).reshape(height, width * channels),
                   np.ascontiguousarray(second).reshape(height, width * channels), channels)
    return float(total) / ((height - _WINDOW_PX + 1) * (width - _WINDOW_PX + 1) * channels)


def _compiled(function: Any) -> Any:
    # The GIL is let go, so that images are scored side by side.
    return numba.njit(nogil=True, cache=True, error_model="numpy")(function)


def _summing(function: Any) -> Any:
    # The order of the additions in double precision is free, which lets them be done several at a time.
    return numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})(function)


@_compiled
def _add(first: Any, second: Any, out: Any) -> None:
    for index in range(out.shape[0]):
        out[index] = first[index] + second[index]


@_compiled
def _add_three(first: Any, second: Any, third: Any, out: Any) -> None:
    for index in range(out.shape[0]):
        out[index] = first[index] + second[index] + third[index]


@_compiled
def _window_sums(columns: Any, pairs: Any, quads: Any, sums: Any, channels: int) -> None:
    """Sums over 7 neighbouring columns of one row of column sums, by doubling; slices keep the loops plain."""
    size = columns.shape[0]
    _add(columns[: size - channels], columns[channels:], pairs[: size - channels])
    _add(pairs[: size - 3 * channels], pairs[2 * channels : size - channels], quads[: size - 3 * channels])
    end = size - 6 * channels
    _add_three(quads[:end], pairs[4 * channels : 4 * channels + end], columns[6 * channels :], sums[:end])


@_compiled
def _add_row(first: Any, second: Any, sign: Any, columns: Any) -> None:
    """Takes a row of pixels into the four running sums of columns, or with sign -1 out of them."""
    sums, other_sums, products, squares = columns[0], columns[1], columns[2], columns[3]
    for index in range(first.shape[0]):
        one, other = np.int32(first[index]), np.int32(second[index])
        apart = one - other
        sums[index] += sign * one
        other_sums[index] += sign * other
        products[index] += sign * (one * other)
        squares[index] += sign * (apart * apart)


@_compiled
def _quotients(sums: Any, quotients: Any, size: int) -> None:
    c1, c2 = np.float32((0.01 * 255) ** 2 * 49 * 49), np.float32((0.03 * 255) ** 2 * 49 * 48)
    two, pixels = np.float32(2), np.int32(49)
    firsts, seconds, products, squares = sums[0], sums[1], sums[2], sums[3]
    for index in range(size):
        one, other = firsts[index], seconds[index]
        product, apart = np.int32(one * other), np.int32((one - other) * (one - other))
        means = two * np.float32(product) + c1
        covariances = two * np.float32(np.int32(pixels * products[index] - product)) + c2
        spread = np.float32(np.int32(pixels * squares[index] - apart))
        quotients[index] = means * covariances / ((np.float32(apart) + means) * (spread + covariances))


@_summing
def _sum(values: Any) -> float:
    total = 0.0
    for index in range(values.shape[0]):
        total += values[index]
    return total


@_compiled
def _total(first: Any, second: Any, channels: int) -> float:
    height, width = first.shape
    size = width - 6 * channels
    columns, sums = np.zeros((4, width), np.int32), np.empty((4, width), np.int32)
    pairs, quads, quotients = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.float32)
    total = 0.0
    for row in range(height):
        _add_row(first[row], second[row], np.int32(1), columns)
        if row >= 7:
            _add_row(first[row - 7], second[row - 7], np.int32(-1), columns)
        if row >= 6:
            for kind in range(4):
                _window_sums(columns[kind], pairs, quads, sums[kind], channels)
            _quotients(sums, quotients, size)
            total += _sum(quotients[:size])
    return total
