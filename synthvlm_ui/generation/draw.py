"""Drawing: candidates through a generator in batches, one result per candidate whatever happens.

In two halves, so that one batch can be decoded while the next is begun. Knows neither files nor scores. A request that
fails becomes a failed candidate and costs its neighbours nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synthvlm_ui.errors import DeviceLost, OutOfMemory, SynthVLMError
from synthvlm_ui.generation.plan import request_of
from synthvlm_ui.protocols import ImageGenerator, StagedGenerator, UInt8Image
from synthvlm_ui.records import Candidate, GenerationRequest

# What every later batch would meet again: these end the run, all else is one batch's own trouble.
_FATAL = (OutOfMemory, DeviceLost)


@dataclass(frozen=True)
class Drawn:
    """A candidate and its pixels, (height, width, 3) uint8, or None when ``candidate.status`` is not "ok"."""

    candidate: Candidate
    pixels: UInt8Image | None


@dataclass(frozen=True)
class Begun:
    """A batch whose latents are on the device (``latents``), or whose results are already there (``results``)."""

    candidates: Sequence[Candidate]
    latents: Any = None
    results: Sequence[UInt8Image | Exception] | None = None


def draw(generator: ImageGenerator, candidates: Sequence[Candidate], batch_size: int,
         should_stop: Callable[[], bool]) -> Iterator[list[Drawn]]:
    """Yields one list per batch, in order; ends early, between two batches, when asked to stop.

    Raises: OutOfMemory when the generator cannot hold even one image, DeviceLost: every later one would fail alike.
    """
    for begun in begin(generator, candidates, batch_size, should_stop):
        yield finish(generator, begun)


def begin(generator: ImageGenerator, candidates: Sequence[Candidate], batch_size: int,
          should_stop: Callable[[], bool]) -> Iterator[Begun]:
    """The first half of ``draw``: all but decoding, for a generator that can leave that for later.

    A staged generator encodes the texts of all candidates first. Its last batch is filled up with repetitions where
    full ones came before, so that the engine sees one shape. Raises: OutOfMemory, DeviceLost.
    """
    requests = [request_of(candidate) for candidate in candidates]
    if isinstance(generator, StagedGenerator) and requests and not should_stop():
        generator.prepare(requests)
    for start in range(0, len(candidates), batch_size):
        if should_stop():
            return
        batch = candidates[start:start + batch_size]
        try:
            begun = _begin_batch(generator, batch, requests[start:start + batch_size], batch_size if start else 1)
        except _FATAL:
            raise
        except Exception as error:  # an engine may raise anything; the batch is recorded as failed and the run goes on
            begun = Begun(batch, results=[error] * len(batch))
        yield begun


def finish(generator: ImageGenerator, begun: Begun) -> list[Drawn]:
    """The second half: pixels, checked. Raises: OutOfMemory, DeviceLost."""
    results = begun.results
    if results is None:
        assert isinstance(generator, StagedGenerator)
        try:
            results = generator.decode(begun.latents)[:len(begun.candidates)]
        except _FATAL:
            raise
        except Exception as error:
            results = [error] * len(begun.candidates)
    engine = generator.info.engine
    return [_drawn(replace(candidate, engine=engine) if engine else candidate, result)
            for candidate, result in zip(begun.candidates, results, strict=True)]


def _begin_batch(generator: ImageGenerator, batch: Sequence[Candidate], requests: Sequence[GenerationRequest],
                 least: int) -> Begun:
    if not isinstance(generator, StagedGenerator):
        return Begun(batch, results=generator.generate(requests))
    return Begun(batch, latents=generator.denoise([*requests, *[requests[-1]] * (least - len(requests))]))


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
