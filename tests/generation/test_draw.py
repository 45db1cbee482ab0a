"""Drawing gives one result per candidate, whatever the engine does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from synthvlm_ui.errors import GenerationFailed, OutOfMemory
from synthvlm_ui.generation import draw
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.records import GenerationRequest
from tests.generation.test_plan import INFO, make_plan

CANDIDATES = [c for chunk in range(2) for c in make_plan(["a", "b", "c"], 2).candidates(chunk)]


class SeedPainter:
    """An engine whose pixels are its seed; told to, it breaks in one of the ways engines break."""

    info = INFO

    def __init__(self, breakage: Exception | UInt8Image | None = None, raised: Exception | None = None) -> None:
        self.breakage, self.raised = breakage, raised

    def check(self, request: GenerationRequest) -> None:
        return None

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        if self.raised:
            raise self.raised
        pictures: list[UInt8Image | Exception] = [
            np.full((r.height, r.width, 3), r.seed % 256, dtype=np.uint8) for r in requests]
        if self.breakage is not None:
            pictures[0] = self.breakage
        return pictures


def drawn(engine: SeedPainter, batch_size: int = 4) -> list:
    return [one for batch in draw(engine, CANDIDATES, batch_size, lambda: False) for one in batch]


def test_order_and_seeds_are_kept_across_batch_sizes() -> None:
    for batch_size in (1, 4, 100):
        results = drawn(SeedPainter(), batch_size)
        assert [r.candidate.id for r in results] == [c.id for c in CANDIDATES]
        assert all(r.pixels[0, 0, 0] == r.candidate.seed % 256 for r in results)


@pytest.mark.parametrize(("breakage", "said"), [
    (GenerationFailed("the safety checker blacked it out", fix="Change the prompt."), "Change the prompt."),
    (ValueError("odd"), "ValueError: odd"),
    (np.zeros((8, 8, 3), dtype=np.uint8), "8x8 px instead of 64x64"),
    (np.zeros((64, 64), dtype=np.uint8), "instead of an RGB image"),
])
def test_one_bad_picture_is_a_failed_row_and_costs_no_neighbour(breakage: Exception | UInt8Image, said: str) -> None:
    results = drawn(SeedPainter(breakage), batch_size=6)
    assert results[0].candidate.status == "failed"
    assert said in results[0].candidate.error_message
    assert results[0].pixels is None
    assert all(r.candidate.status == "ok" for r in results[1:])


def test_a_batch_that_raises_fails_whole_and_the_run_goes_on() -> None:
    assert [r.candidate.status for r in drawn(SeedPainter(raised=RuntimeError("cudnn")))] == ["failed"] * 6


def test_out_of_memory_ends_the_run() -> None:
    with pytest.raises(OutOfMemory):
        drawn(SeedPainter(raised=OutOfMemory("one image does not fit")))


def test_stops_between_batches() -> None:
    answers = iter([False, True])
    assert len(list(draw(SeedPainter(), CANDIDATES, 2, lambda: next(answers)))) == 1
