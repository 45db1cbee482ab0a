"""Gives memory back to the system when much of it is free. Knows nothing of what it was used for.

Curation makes and drops arrays of megabytes in many threads; the C library of Linux would keep them in a heap for each
thread, several hundred megabytes in all with 16 people at once.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # M_... of malloc.h
HEAPS = 2
OWN_PAGES_FROM_BYTES = 32 * 2**20
KEPT_FREE_BYTES = 64 * 2**20


def return_what_is_free() -> None:
    """Few heaps that keep little; call it before threads start. Does nothing outside glibc."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, HEAPS)
        library.mallopt(_MMAP_THRESHOLD, OWN_PAGES_FROM_BYTES)
        library.mallopt(_TRIM_THRESHOLD, KEPT_FREE_BYTES)
