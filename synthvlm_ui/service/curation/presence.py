"""Who looks on at this moment: whoever has asked within the last few seconds. Knows neither journal nor page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

GONE_AFTER_S = 6.0


class Presence:
    """Names and when they were last heard of; threads may note and read side by side."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._heard: dict[str, float] = {}
        self._version = 0

    def note(self, name: str) -> None:
        """Somebody is here."""
        with self._lock:
            self._version += name not in self._heard
            self._heard[name] = self._clock()

    def now(self) -> tuple[int, list[str]]:
        """A number that changes whenever somebody comes or goes, and who is here, the last to come first."""
        with self._lock:
            gone = [name for name, at in self._heard.items() if self._clock() - at > GONE_AFTER_S]
            self._version += bool(gone)
            for name in gone:
                del self._heard[name]
            return self._version, list(reversed(self._heard))
