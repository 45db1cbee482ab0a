"""What counts as an image that can be scored. Knows no metric."""

from __future__ import annotations

import os
from typing import TypeGuard

import numpy as np

from synthvlm_ui.protocols import UInt8Image


def is_rgb(image: object) -> TypeGuard[UInt8Image]:
    """Whether this is a non-empty (height, width, 3) uint8 array."""
    return (
        isinstance(image, np.ndarray) and image.dtype == np.uint8
        and image.ndim == 3 and image.shape[2] == 3 and image.size > 0
    )


def usable_processors() -> int:
    """How many processors this process may run on, which a container can make fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
