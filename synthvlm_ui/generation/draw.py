"""Drawing: candidates through a generator in batches, one result per candidate whatever happens.

Knows neither files nor scores. A request that fails becomes a failed candidate and costs its neighbours nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from synthvlm_ui.errors import OutOfMemory, SynthVLMError
from synthvlm_ui.generation.plan import request_of
from synthvlm_ui.protocols import ImageGenerator, UInt8Image
from synthvlm_ui.records import Candidate


@dataclass(frozen=True)
class Drawn:
    """A candidate and its pixels, (height, width, 3) uint8, or None when ``candidate.status`` is "failed"."""

    candidate: Candidate
    pixels: UInt8Image | None


def draw(generator: ImageGenerator, candidates: Sequence[Candidate], batch_size: int,
         should_stop: Callable[[], bool]) -> Iterator[list[Drawn]]:
    """Yields one list per batch, in order; ends early, between two batches, when asked to stop.

    Raises: OutOfMemory when the generator cannot hold even one image: every later one would fail alike.
    """
    for start in range(0, len(candidates), batch_size):
        if should_stop():
            return
        batch = candidates[start:start + batch_size]
        try:
            results = generator.generate([request_of(candidate) for candidate in batch])
        except OutOfMemory:
            raise
        except Exception as error:  # an engine may raise anything; the batch is recorded as failed and the run goes on
            results = [error] * len(batch)
        yield [_drawn(candidate, result) for candidate, result in zip(batch, results, strict=True)]


def _drawn(candidate: Candidate, result: UInt8Image | Exception) -> Drawn:
    problem = _problem(candidate, result)
    if problem:
        return Drawn(replace(candidate, status="failed", error_message=problem), None)
    assert isinstance(result, np.ndarray)
    return Drawn(candidate, result)


def _problem(candidate: Candidate, result: UInt8Image | Exception) -> str:
    if isinstance(result, SynthVLMError):
        return str(result)
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {result}"[:500]
    if result.dtype != np.uint8 or result.ndim != 3 or result.shape[2] != 3:
        return f"the engine returned {result.dtype} {result.shape} instead of an RGB image"
    if result.shape[:2] != (candidate.height, candidate.width):
        height, width = result.shape[:2]
        return f"the engine returned {width}x{height} px instead of {candidate.width}x{candidate.height}"
    return ""
