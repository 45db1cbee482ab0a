"""Drawing on a card that is lent for moments, as ZeroGPU of Hugging Face lends its own: every call borrows it anew.

On ZeroGPU the package ``spaces`` forks the app's process for a call, moves there what the process holds for the card
and hands arguments and results over pickled; what the fork changes, the app never sees. Elsewhere a call is just a
call. Must be imported before anything initialises CUDA. Knows no job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from synthvlm_ui.backends import create_generator
from synthvlm_ui.errors import DeviceLost, SynthVLMError
from synthvlm_ui.protocols import ImageGenerator, UInt8Image
from synthvlm_ui.records import EngineSettings, GenerationRequest
from synthvlm_ui.service.machine import hosting

Results = list[UInt8Image | Exception]
# What is asked for without knowing better, and of which a call's share is drawn: short loans come sooner and cost less.
START_S, LOAN_S, LONGEST_S = 10.0, 30.0, 110
FIRST_PACE_S = 0.5  # per step and megapixel

# For the whole process, so that a fork has what was loaded before it; what it lacks it loads itself.
_loaded: dict[tuple[str, EngineSettings, str], ImageGenerator] = {}
_paces_s: dict[str, float] = {}
_lending = threading.Lock()


def loaded(name: str, engine: EngineSettings, device: str) -> ImageGenerator:
    """The generator, kept until another one is asked for. Raises: as ``create_generator``."""
    key = (name, engine, device)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = create_generator(name, device=device, engine=engine)
    return _loaded[key]


def expected_s(name: str, _engine: EngineSettings, _device: str, requests: Sequence[GenerationRequest]) -> int:
    """Seconds for which to borrow the card: by what the last batch took per step and megapixel, and half as much more.
    """
    return min(LONGEST_S, round(START_S + 1.5 * _paces_s.get(name, FIRST_PACE_S) * _work(requests)))


def _draw(name: str, engine: EngineSettings, device: str, requests: Sequence[GenerationRequest]) -> Any:
    """The pictures, or the error: what is raised in the fork would reach the app only as a name."""
    try:
        return loaded(name, engine, device).generate(requests)
    except SynthVLMError as error:
        return error


def _borrowing() -> Callable[..., Any]:
    """``_draw``, with a card to do it on. The decorator does nothing where no card is lent."""
    if not hosting.on_zero_gpu():
        return _draw
    import spaces

    lent: Callable[..., Any] = spaces.GPU(_draw, duration=expected_s)
    return lent


draw_on_lent_card = _borrowing()


class LentGenerator:
    """protocols.ImageGenerator whose batches are drawn on a lent card, a loan for each half minute of work."""

    def __init__(self, name: str, engine: EngineSettings, device: str) -> None:
        self._asked = (name, engine, device)
        inside = loaded(*self._asked)
        self.info, self.check, self.choice = inside.info, inside.check, getattr(inside, "choice", None)

    def generate(self, requests: Sequence[GenerationRequest]) -> Results:
        """Raises: DeviceLost when no card is lent, what the generator raises."""
        results: Results = []
        for share in self._shares(requests):
            results.extend(self._drawn(share))
        return results

    def _drawn(self, requests: Sequence[GenerationRequest]) -> Results:
        try:
            with _lending:
                started = time.monotonic()
                results = draw_on_lent_card(*self._asked, requests)
                _paces_s[self._asked[0]] = (time.monotonic() - started) / _work(requests)
        except Exception as error:  # gradio's own, with a text for people: no quota left, taken away too soon
            raise DeviceLost(f"the card was not lent: {error}", where="ZeroGPU",
                             fix="Resume the job later; an account of the Hub has a longer quota.") from error
        if isinstance(results, SynthVLMError):
            raise results
        return list(results)

    def _shares(self, requests: Sequence[GenerationRequest]) -> Iterator[Sequence[GenerationRequest]]:
        pace_s = _paces_s.get(self._asked[0], FIRST_PACE_S)
        share: list[GenerationRequest] = []
        for request in requests:
            if share and pace_s * _work([*share, request]) > LOAN_S:
                yield share
                share = []
            share.append(request)
        if share:
            yield share


def _work(requests: Sequence[GenerationRequest]) -> float:
    """Steps times megapixels."""
    return sum(one.num_inference_steps * one.width * one.height for one in requests) / 1e6
