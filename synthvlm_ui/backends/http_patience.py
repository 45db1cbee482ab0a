"""When to ask a server again, and how much may be asked of it: back-off with jitter, Retry-After, a budget.

Knows neither the protocol nor what is asked.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from synthvlm_ui.errors import GenerationFailed

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0


class BudgetSpent(GenerationFailed):
    """The user's limit of requests or tokens is reached; nothing was asked."""


@dataclass
class Budget:
    """How much may be asked: None is no limit. Requests count when they are sent, tokens when they are answered.

    Requests under way when a limit of tokens is reached are still answered, so it can be passed by as many texts as
    are asked for at a time.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    requests: int = 0
    tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take_request(self) -> None:
        """Counts one request. Raises: BudgetSpent."""
        with self._lock:
            if self.max_requests is not None and self.requests >= self.max_requests:
                raise BudgetSpent(f"the budget of {self.max_requests} requests is spent")
            if self.max_tokens is not None and self.tokens >= self.max_tokens:
                raise BudgetSpent(f"the budget of {self.max_tokens} tokens is spent")
            self.requests += 1

    def add_tokens(self, tokens: int) -> None:
        with self._lock:
            self.tokens += tokens

    @property
    def spent(self) -> bool:
        return ((self.max_requests is not None and self.requests >= self.max_requests)
                or (self.max_tokens is not None and self.tokens >= self.max_tokens))


def wait_s(attempt: int, retry_after_s: float | None, chance: Callable[[], float] = random.random) -> float:
    """Seconds before attempt ``attempt`` + 1: what the server asks for, else a random share of a doubling wait.

    Full jitter keeps many waiting requests from coming back all at once; half a wait is the least.
    """
    if retry_after_s is not None:
        return min(retry_after_s, LONGEST_RETRY_AFTER_S) + FIRST_WAIT_S * chance()
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)
    return longest * (0.5 + 0.5 * chance())


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, given as a number or as a date; None when it says nothing."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - (now or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if seconds == seconds else None
