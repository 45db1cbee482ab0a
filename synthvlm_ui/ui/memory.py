"""Gives memory back to the system when much of it is free. Knows nothing of what it was used for.

Curation makes and drops arrays of megabytes in many threads; the C library of Linux would keep them in a heap for each
thread, several hundred megabytes in all with 16 people at once.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from contextlib import suppress
from typing import Any

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # M_... of malloc.h
HEAPS = 2
OWN_PAGES_FROM_BYTES = 32 * 2**20
KEPT_FREE_BYTES = 8 * 2**20
RETURN_EVERY_S = 0.25


def return_what_is_free() -> None:
    """Few heaps that keep little; call it before threads start. Does nothing outside glibc."""
    if (library := _glibc()) is not None:
        library.mallopt(_ARENA_MAX, HEAPS)
        library.mallopt(_MMAP_THRESHOLD, OWN_PAGES_FROM_BYTES)
        library.mallopt(_TRIM_THRESHOLD, KEPT_FREE_BYTES)


def keep_returning() -> None:
    """From now on returns what is free between other pages too, which the heaps by themselves would keep.

    That is a millisecond after a drag over a million rows and a tenth of one in an idle process.
    """
    if (library := _glibc()) is None:
        return

    def work() -> None:
        while True:
            time.sleep(RETURN_EVERY_S)
            library.malloc_trim(0)
            if (arrow := sys.modules.get("pyarrow")) is not None:
                arrow.default_memory_pool().release_unused()

    threading.Thread(target=work, name="memory", daemon=True).start()


def _glibc() -> Any:
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            if library.mallopt and library.malloc_trim:
                return library
    return None
