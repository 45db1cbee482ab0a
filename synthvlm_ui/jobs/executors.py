"""Where the chunks of a planned job run. Knows nothing of what a chunk is: running one twice is safe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from synthvlm_ui.errors import BadSetting

if TYPE_CHECKING:
    from synthvlm_ui.protocols import Progress


class LocalExecutor:
    """protocols.Executor in this process: chunk after chunk, with a safe point before each."""

    def __init__(self, run_chunk: Callable[[int], None]) -> None:
        self._run_chunk = run_chunk

    def run(self, chunks: Sequence[int], progress: Progress) -> None:
        """Returns early when asked to stop; an exception of a chunk ends the run."""
        for chunk in chunks:
            if progress.should_stop():
                return
            self._run_chunk(chunk)


def slice_chunks(chunks: Sequence[int], worker: str | None) -> list[int]:
    """The share of worker I of N (``"I/N"``, I from 1 to N): every N-th chunk, so that all shares are alike; None: all.

    Raises: BadSetting.
    """
    if worker is None:
        return list(chunks)
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", worker.strip(), re.ASCII)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise BadSetting(f"{worker!r} is not a share of the work", where="--worker",
                         fix="Give I/N with I from 1 to N, for example 1/4.")
    return list(chunks[number - 1 :: count])
