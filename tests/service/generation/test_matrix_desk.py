"""A prompt matrix: which cells there are, what each is drawn with, and what is refused before anything is queued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service import Studio, parse_axis
from synthvlm_ui.service.generation.matrix_desk import cells_of

SETTINGS = GenerationSettings("miniature", device="cpu")
PROMPT = "a red cat above a red house"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    opened = Studio.open(tmp_path / "workspace")
    monkeypatch.setattr(opened.generation._jobs, "_wake", lambda device: None)
    yield opened
    opened.close()


def test_cells_run_along_the_first_axis() -> None:
    cells = cells_of(SETTINGS, PROMPT, [parse_axis("words=red|blue"), parse_axis("guidance-scale=1,2.5,4")])
    assert [(x, y) for _, _, x, y in cells] == [
        ("red", "1"), ("blue", "1"), ("red", "2.5"), ("blue", "2.5"), ("red", "4"), ("blue", "4")]
    settings, prompt, _, _ = cells[3]
    assert (settings.guidance_scale, prompt) == (2.5, "a blue cat above a blue house")


@pytest.mark.parametrize("axes", [[], ["seed=1", "seed=2"], ["words=zebra|cat"], ["seed=x"], ["colour=1"], ["seed="],
                                  ["seed=1,1"], ["seed"], ["seed=" + ",".join(map(str, range(65)))]])
def test_what_is_no_matrix_is_refused(axes: list[str]) -> None:
    with pytest.raises(BadSetting) as caught:
        cells_of(SETTINGS, PROMPT, [parse_axis(axis) for axis in axes])
    assert caught.value.fix


def test_every_cell_is_a_job_and_a_bad_cell_keeps_all_from_being_queued(studio: Studio) -> None:
    axes = [parse_axis("num_inference_steps=2,4"), parse_axis("seed=1,2")]
    cells = studio.matrix.start(SETTINGS, PROMPT, axes)
    configs = [studio.jobs.show(cell["job_id"])["config"]["settings"] for cell in cells]
    assert [(each["num_inference_steps"], each["seed"]) for each in configs] == [(2, 1), (4, 1), (2, 2), (4, 2)]
    assert [cell["state"] for cell in studio.matrix.show(cells)] == ["queued"] * 4
    with pytest.raises(BadSetting):
        studio.matrix.start(SETTINGS, PROMPT, [parse_axis("num_inference_steps=2,0")])
    with pytest.raises(BadSetting, match="choices"):
        studio.matrix.start(SETTINGS, "a {red|blue} cat", axes)
    assert len(studio.jobs.list()["jobs"]) == 4
