"""Drawing on a card that is lent for moments: in the app's process, with the same contents as the ordinary worker's.

No card is lent here: the package's decorator is a plain call off ZeroGPU. What its fork would do to arguments and
results, pickling them, is done to them as well.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthvlm_ui.errors import DeviceLost, OutOfMemory
from synthvlm_ui.records import EngineSettings, GenerationRequest, GenerationSettings
from synthvlm_ui.service import Studio
from synthvlm_ui.service.machine import hosting, lent_card

CAPTIONS = ["a red apple on a green meadow", "two blue cars", "a yellow duck"]


def through_a_fork(*arguments: Any) -> Any:
    return pickle.loads(pickle.dumps(lent_card._draw(*pickle.loads(pickle.dumps(arguments)))))


def contents(folder: Path, lent: Callable[..., Any] | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a small run leaves behind, by candidate: pixels and scores."""
    if lent:
        monkeypatch.setattr(hosting, "on_zero_gpu", lambda: True)
        monkeypatch.setattr(lent_card, "draw_on_lent_card", lent)
    studio = Studio.open(folder)
    studio.captions.import_texts("\n".join(CAPTIONS), "toys")
    settings = GenerationSettings(generator="miniature", images_per_caption=2, device="cpu", batch_size=3,
                                  num_inference_steps=4)
    job_id = studio.generation.start(settings, dataset="toys")
    studio.jobs.follow(job_id, lambda now: None)
    studio.refresh()
    columns = studio.workspace.columns
    rows = range(columns.n)
    found = {columns.candidate(row).id: (columns.image(row)[0],
                                         {name: float(columns.score(name)[row]) for name in columns.score_columns()})
             for row in rows}
    studio.close()
    return found


def test_the_workspace_is_the_one_that_the_ordinary_worker_makes(tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "1")
    calls: list[tuple[int, str]] = []

    def lent(*arguments: Any) -> Any:
        calls.append((len(arguments[3]), threading.current_thread().name))
        return through_a_fork(*arguments)

    ordinary = contents(tmp_path / "ordinary", None, monkeypatch)
    borrowed = contents(tmp_path / "borrowed", lent, monkeypatch)
    assert calls and sum(size for size, _ in calls) == 6
    assert {name for _, name in calls} == {"queue cpu"}, "in a thread of this process"
    assert ordinary.keys() == borrowed.keys() and len(ordinary) == 6
    for candidate_id, (image, scores) in ordinary.items():
        assert borrowed[candidate_id][0] == image, "the same pixels"
        assert borrowed[candidate_id][1] == pytest.approx(scores, abs=1e-5, nan_ok=True)


def requests(count: int, side_px: int = 1024) -> list[GenerationRequest]:
    return [GenerationRequest("a duck", seed, side_px, side_px, 30, 5.0) for seed in range(count)]


class Painter:
    """Draws black pictures, or fails as it was told to."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.info, self.check, self.problem = None, None, problem

    def generate(self, wanted: list[GenerationRequest]) -> list[Any]:
        if self.problem:
            raise self.problem
        return [np.zeros((1, 1, 3), np.uint8) for _ in wanted]


def painter(monkeypatch: pytest.MonkeyPatch, problem: Exception | None = None) -> lent_card.LentGenerator:
    monkeypatch.setattr(lent_card, "create_generator", lambda name, device, engine: Painter(problem))
    monkeypatch.setattr(lent_card, "_loaded", {})
    monkeypatch.setattr(lent_card, "_paces_s", {})
    monkeypatch.setattr(lent_card, "draw_on_lent_card", through_a_fork)
    return lent_card.LentGenerator("sdxl", EngineSettings(), "cpu")


def test_the_time_borrowed_follows_the_work_and_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("sdxl", EngineSettings(), "cpu")
    generator = painter(monkeypatch)
    first = lent_card.expected_s(*asked, requests(1))
    assert 10 < first < lent_card.expected_s(*asked, requests(2)) <= lent_card.LONGEST_S
    assert [len(share) for share in generator._shares(requests(4))] == [1, 1, 1, 1], "small loans"
    assert len(generator.generate(requests(4))) == 4
    assert lent_card.expected_s(*asked, requests(1)) < first, "it was quicker than feared"
    assert [len(share) for share in generator._shares(requests(4))] == [4]


def test_an_error_keeps_its_class_and_a_card_that_is_not_lent_ends_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutOfMemory, match="too large"):
        painter(monkeypatch, OutOfMemory("too large", fix="Draw smaller.")).generate(requests(1))
    generator = painter(monkeypatch)

    def refused(*_arguments: Any) -> Any:
        raise RuntimeError("You have exceeded your GPU quota")

    monkeypatch.setattr(lent_card, "draw_on_lent_card", refused)
    with pytest.raises(DeviceLost, match="exceeded your GPU quota"):
        generator.generate(requests(1))


def test_the_real_package_takes_the_function_and_its_duration() -> None:
    """Off ZeroGPU it gives the function back, so that a Space on a processor runs the very same code."""
    import spaces

    assert spaces.GPU(lent_card._draw, duration=lent_card.expected_s) is lent_card._draw
