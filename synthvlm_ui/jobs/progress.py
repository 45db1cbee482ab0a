"""How far a running job is and how long it will take.

Knows neither what is counted nor where the numbers are written.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0
MIN_SAMPLES = 6
SAMPLE_SPACING_S = 0.2


class RateEstimate:
    """Remaining time from the rate of the last minute of this run.

    The first report is where this run began, so work that an earlier run did counts for nothing. The first step after
    it often holds the loading of a model or a jump over finished chunks, and is left out once two later ones are there.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()
        self._first_step = True

    def restart(self) -> None:
        """Forgets the rate: after a pause, or when another phase of the work begins."""
        self._samples.clear()
        self._first_step = True

    def eta_s(self, done: int, total: int) -> float | None:
        """Seconds until ``done`` reaches ``total``; None while nothing is known."""
        now_s = self._clock()
        if self._samples and done < self._samples[-1][1]:
            self.restart()
        self._add(now_s, done)
        if done >= total > 0:
            return 0.0
        start_s, start_done = self._samples[0]
        end_s, end_done = self._samples[-1]
        if end_done <= start_done or end_s <= start_s:
            return None
        return (total - end_done) * (end_s - start_s) / (end_done - start_done)

    def _add(self, now_s: float, done: int) -> None:
        samples = self._samples
        if not samples:
            samples.append((now_s, done))
            return
        if done == samples[-1][1]:
            return
        if len(samples) > 2 and now_s - samples[-2][0] < SAMPLE_SPACING_S:
            samples[-1] = (now_s, done)
        else:
            samples.append((now_s, done))
        if self._first_step and len(samples) == 4:
            samples.popleft()
            self._first_step = False
        while len(samples) > MIN_SAMPLES and now_s - samples[1][0] > WINDOW_S:
            samples.popleft()
