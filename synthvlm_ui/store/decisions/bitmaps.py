"""Sets of ordinals as compressed bitmaps: how a bulk act over a million rows fits 125 KB. Knows no rows."""

from __future__ import annotations

import array
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

_ZLIB_MARK = 0x78
_COMPRESS_FROM_BYTES = 16384


def as_ordinals(rows: Iterable[int] | NDArray[np.integer] | BitMap) -> NDArray[np.uint32]:
    """The rows as a sorted array without repeats. Raises: ValueError below 0 or from 2**32 on."""
    if isinstance(rows, BitMap):
        return unpacked(rows)
    given = np.asarray(rows if isinstance(rows, np.ndarray) else list(rows))
    if given.size == 0:
        return np.zeros(0, np.uint32)
    if given.dtype.kind not in "iu" or given.ndim != 1 or int(given.min()) < 0 or int(given.max()) >= 2**32:
        raise ValueError("ordinals are whole numbers from 0 on")
    ordinals = given.astype(np.uint32)
    return ordinals if bool((ordinals[1:] > ordinals[:-1]).all()) else np.unique(ordinals)


def as_bitmap(ordinals: NDArray[np.uint32]) -> BitMap:
    """The ordinals as a bitmap."""
    # Through array.array: pyroaring takes that by its buffer and a numpy array element by element.
    return BitMap(array.array("I", ordinals.astype(np.uint32, copy=False).tobytes()))


def packed(ordinals: NDArray[np.uint32]) -> bytes:
    """The sorted ordinals as a roaring bitmap in the portable format, through zlib when that is worth it."""
    bitmap = as_bitmap(ordinals)
    bitmap.run_optimize()
    raw = bitmap.serialize()
    # A bitset container is 8 KiB even where it is half empty, which zlib takes back.
    return zlib.compress(raw, 1) if len(raw) >= _COMPRESS_FROM_BYTES else raw


def bitmap_of(blob: bytes) -> BitMap:
    """The bitmap that ``packed`` wrote. Raises: ValueError when it is not one."""
    try:
        return BitMap.deserialize(zlib.decompress(blob) if blob[:1] == bytes([_ZLIB_MARK]) else blob)
    except zlib.error as error:
        raise ValueError("the bitmap does not read back") from error


def unpacked(bitmap: BitMap) -> NDArray[np.uint32]:
    """The members of a bitmap, ascending."""
    return np.frombuffer(bitmap.to_array(), dtype=np.uint32)
