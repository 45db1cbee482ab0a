"""Turns: who of many visitors has a job run next, when few may run at once.

Round robin over visitors, not over jobs: somebody who queues ten waits behind everybody's first. Knows names, job ids
and durations; what running means, the caller says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FIRST_GUESS_S = 30.0
_REMEMBERED = 20


@dataclass(frozen=True)
class Turn:
    """``place`` 1 is next; ``wait_s`` is an estimate."""

    place: int
    wait_s: float


class Turns:
    """The order of one lane, in which one job runs at a time."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0
        self._durations_s: deque[float] = deque(maxlen=_REMEMBERED)

    def next(self, waiting: Mapping[str, Sequence[str]]) -> str | None:
        """Whose turn it is of those who wait (visitor to their jobs, in order), None when nobody does."""
        there = [visitor for visitor, jobs in waiting.items() if jobs]
        return min(there, key=lambda visitor: self._served.get(visitor, 0), default=None)

    def began(self, visitor: str) -> None:
        """A job of this visitor runs: their next one waits behind everybody else's."""
        self._count += 1
        self._served[visitor] = self._count

    def took(self, seconds: float) -> None:
        """How long a job ran."""
        self._durations_s.append(seconds)

    def forget(self, visitor: str) -> None:
        """The visitor is gone."""
        self._served.pop(visitor, None)

    @property
    def typical_s(self) -> float:
        """How long a job takes, from those that ran."""
        return sum(self._durations_s) / len(self._durations_s) if self._durations_s else FIRST_GUESS_S

    def places(self, waiting: Mapping[str, Sequence[str]], running_left_s: float = 0.0) -> dict[str, Turn]:
        """The turn of every job that waits, by its id; ``running_left_s`` is what the running one still takes."""
        order = sorted((visitor for visitor, jobs in waiting.items() if jobs),
                       key=lambda visitor: self._served.get(visitor, 0))
        found: dict[str, Turn] = {}
        for round_ in range(max((len(jobs) for jobs in waiting.values()), default=0)):
            for visitor in order:
                if round_ < len(waiting[visitor]):
                    place = len(found) + 1
                    found[waiting[visitor][round_]] = Turn(place, running_left_s + (place - 1) * self.typical_s)
        return found
