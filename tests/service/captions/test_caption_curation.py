"""Curating captions as the service does it: decisions beside captions, verdicts above rules, models asked once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_under_test import InlineContext
from PIL import Image
from tiny_blip import save_tiny_blip
from tiny_language_model import save_tiny_language_model

from synthvlm_ui.errors import BadSetting, EmptyInput, Failure, UnknownName
from synthvlm_ui.protocols import WriteRequest
from synthvlm_ui.records import GenerationSettings, WriterInfo
from synthvlm_ui.service import Studio
from synthvlm_ui.service.captions import caption_curation_desk, caption_measures
from synthvlm_ui.service.captions.curate_job import PART, run_curate
from synthvlm_ui.service.generation.generate_plan import captions_to_draw
from synthvlm_ui.service.real_images.real_images_job import real_images_config, run_real_images

CAPTIONS = ["A computer screen showing the google search page.", "a red fox in the snow beside two green trees",
            '2017 Jaguar XK Coupe - "Unleash the Power: 5.0L V8, 510 HP!"',
            "A red fox in the snow, beside two green trees!"]
GOOD = GenerationSettings(generator="miniature")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    opened = Studio.open(tmp_path / "workspace")
    opened.captions.import_texts("\n".join(CAPTIONS), "words")
    yield opened
    opened.close()


def ids(studio: Studio) -> list[str]:
    return studio.workspace.captions.texts("words")[0]


def curate(studio: Studio, *changes: str, preset: str = "plain") -> dict[str, Any]:
    desk = studio.caption_curation
    return desk.curate("words", desk.settings(preset, changes))


class YesMan:
    """Says yes to foxes, remembers what it was asked, and breaks on request."""

    info = WriterInfo("yes", "yes", "1")

    def __init__(self, broken: bool = False) -> None:
        self.asked: Counter[str] = Counter()
        self.broken = broken

    def write(self, requests: Sequence[WriteRequest]) -> list[str | Exception]:
        self.asked.update(request.prompt for request in requests)
        assert all(request.temperature == 0 for request in requests)
        return [Failure("no answer") if self.broken else "Yes." if "fox" in one.prompt else "no" for one in requests]


def job(studio: Studio, settings: Any, writer: Any = None, stop_after: int | None = None) -> dict[str, Any]:
    config = {"dataset": "words", "settings": json.loads(json.dumps(settings.to_json())), "actor": "me"}
    context = InlineContext(studio.workspace.root / "jobs" / "curate", config, stop_after)
    return dict(run_curate(context, studio.workspace, lambda _name: writer))  # type: ignore[arg-type]


def test_a_report_says_what_each_rule_did(studio: Studio) -> None:
    result = curate(studio, "exact_duplicates=on")
    assert (result["kept"], result["rejected"]) == (2, 2)
    assert result["reasons"] == {"special_characters": 1, "exact_duplicates": 1}
    assert {name: one["kept"] for name, one in result["presets"].items()} == {"synthvlm": 2, "plain": 3}
    report = studio.caption_curation.report("words")
    steps = {step["rule"]: step for step in report["steps"]}
    assert (steps["special_characters"]["entered"], steps["special_characters"]["left"]) == (4, 3)
    assert "no language model" in steps["perplexity"]["unavailable"]
    assert "no real images" in steps["image_text_similarity"]["unavailable"]
    assert [one["captions"] for one in report["skills"]] == [2, 2, 2, 1]


def test_nothing_is_deleted_and_a_caption_comes_back_by_hand(studio: Studio) -> None:
    before = [caption.caption for caption in studio.workspace.captions.load("words")]
    curate(studio)
    desk, jaguar = studio.caption_curation, ids(studio)[2]
    assert not desk.standing("words").counts(jaguar)
    assert desk.verdict("words", [jaguar], "keep")["kept"] == 4
    assert desk.standing("words").counts(jaguar)
    curate(studio)
    assert desk.standing("words").counts(jaguar), "a later curation does not override a person"
    [shown] = desk.examples("words", desk.settings("plain"), show="by_hand")["items"]
    assert (shown["id"], shown["verdict"], shown["rejected_by"]) == (jaguar, "keep", "special_characters")
    assert desk.verdict("words", [jaguar], "clear")["kept"] == 3
    assert desk.verdict("words", [ids(studio)[0]], "reject")["kept"] == 2
    assert [caption.caption for caption in studio.workspace.captions.load("words")] == before
    with pytest.raises(UnknownName):
        desk.verdict("words", ["nobody"], "keep")
    assert desk.rejected_ids("words", "special_characters") == [jaguar]


def test_another_process_sees_the_same(studio: Studio) -> None:
    curate(studio)
    studio.caption_curation.verdict("words", [ids(studio)[2]], "keep")
    with_other = Studio.open(studio.workspace.root, read_only=True)
    try:
        assert with_other.caption_curation.standing("words") == studio.caption_curation.standing("words")
    finally:
        with_other.close()


def test_generation_draws_kept_captions_only_unless_told(studio: Studio) -> None:
    assert studio.generation.estimate(GOOD, dataset="words")["left_out"] == 0
    curate(studio, "exact_duplicates=on")
    estimate = studio.generation.estimate(GOOD, dataset="words")
    assert (estimate["images"], estimate["left_out"]) == (2, 2)
    assert studio.generation.estimate(GOOD, dataset="words", captions="all")["images"] == 4
    drawn = captions_to_draw(studio.workspace, {"dataset": "words", "captions": "kept"})
    assert [caption.caption for caption in drawn] == CAPTIONS[:2]
    assert len(captions_to_draw(studio.workspace, {"dataset": "words", "captions": "all"})) == 4
    assert "--captions all" in studio.generation.command(GOOD, dataset="words", captions="all")
    curate(studio, "words.min=99")
    with pytest.raises(EmptyInput, match="kept no caption"):
        studio.generation.start(GOOD, dataset="words")
    with pytest.raises(BadSetting):
        studio.generation.estimate(GOOD, dataset="words", captions="some")


def test_captions_imported_later_wait_for_the_next_curation(studio: Studio) -> None:
    curate(studio)
    studio.captions.import_texts("a blue boat on a lake", "words")
    standing = studio.caption_curation.standing("words")
    assert (len(standing.uncurated_ids), standing.kept) == (1, 3)
    curate(studio)
    assert studio.caption_curation.standing("words").kept == 4


def test_statistics_are_measured_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    curate(studio)
    monkeypatch.setattr(caption_measures, "measure_texts", lambda *_a, **_k: pytest.fail("again"))
    assert curate(studio, preset="synthvlm")["kept"] == 2
    view = studio.caption_curation.view("words", studio.caption_curation.settings("plain", ["tokens.max=10"]))
    assert view["measured"] and view["kept"] == 0 and view["histograms"]["tokens"]["max"] > 10
    assert "--set tokens.max=10" in view["command"]


def test_many_captions_are_measured_by_a_job(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_curation_desk, "AT_ONCE_CAPTIONS", 3)
    desk = studio.caption_curation
    settings = desk.settings("plain")
    assert desk.needs_job("words", settings) and not desk.view("words", settings)["measured"]
    assert job(studio, settings)["kept"] == 3
    assert desk.view("words", settings)["measured"]


def test_limits_from_percentiles(studio: Studio) -> None:
    desk = studio.caption_curation
    found = desk.calibrate("words", desk.settings("synthvlm"), 10, 90)
    values = desk.view("words", found)["rules"]
    special = next(rule for rule in values if rule["name"] == "special_characters")["values"]
    assert 0.16 < special["min"] < special["max"] < 0.47
    assert "min" not in found.rules["character_repetition"], "a rule keeps the sides it has"
    with pytest.raises(BadSetting):
        desk.calibrate("words", found, 60, 40)


def test_settings_that_make_no_sense_are_refused(studio: Studio) -> None:
    desk = studio.caption_curation
    for change in ("nonsense.max=1", "tokens.colour=red", "tokens.max=many", "alphanumeric", "words.min=9",
                   "character_repetition.n=0", "difficulty.exclude=smell", "image_text_similarity.keep_ratio=2"):
        with pytest.raises((BadSetting, UnknownName)):
            desk.settings("plain", [change, "words.max=3"])
    with pytest.raises(UnknownName):
        desk.settings("fancy")
    with pytest.raises(EmptyInput):
        desk.report("words")


def test_the_gate_asks_once_about_survivors_only(studio: Studio) -> None:
    settings = studio.caption_curation.settings("plain", ["llm_gate.writer=yes", "llm_gate.min=1"])
    writer = YesMan()
    result = job(studio, settings, writer)
    assert result["reasons"] == {"special_characters": 1, "llm_gate": 1} and result["kept"] == 2
    assert sum(writer.asked.values()) == 3, "the caption that a rule rejected was not asked about"
    assert job(studio, settings, writer)["kept"] == 2 and max(writer.asked.values()) == 1
    with pytest.raises(Failure, match="none"):
        job(studio, studio.caption_curation.settings("plain", ["llm_gate.writer=other"]), YesMan(broken=True))


def test_a_stopped_gate_goes_on_where_it_was(studio: Studio) -> None:
    studio.captions.import_texts("\n".join(f"a fox number {number} in the snow" for number in range(2 * PART)), "words")
    settings, writer = studio.caption_curation.settings("plain", ["llm_gate.writer=yes"]), YesMan()
    assert job(studio, settings, writer, stop_after=2) == {}
    asked = sum(writer.asked.values())
    assert 0 < asked < 2 * PART
    assert job(studio, settings, writer)["failed"] == 0
    assert set(writer.asked.values()) == {1} and len(writer.asked) > 2 * PART


def test_perplexity_of_a_named_model_needs_a_limit_of_its_own(studio: Studio, tmp_path: Path) -> None:
    model = save_tiny_language_model(tmp_path / "lm")
    settings = studio.caption_curation.settings("plain", [f"perplexity.model={model}"])
    result = job(studio, settings)
    assert "another scale" in result["unavailable"]["perplexity"]
    desk = studio.caption_curation
    histogram = desk.view("words", settings)["histograms"]["perplexity"]
    assert 1 < histogram["min"] <= histogram["max"] < 1e4
    limit = (histogram["min"] + histogram["max"]) / 2
    tight = desk.settings("plain", [f"perplexity.model={model}", f"perplexity.max={limit}"])
    assert job(studio, tight)["reasons"]["perplexity"] >= 1


def test_real_images_are_matched_where_the_model_is(studio: Studio, tmp_path: Path) -> None:
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    rows = [{"id": f"c{number}", "caption": f"the red fox in the snow {number}", "image": f"{number}.png"}
            for number in range(3)]
    (tmp_path / "captions.json").write_text(json.dumps([*rows, {"id": "bare", "caption": "the fox sees a red bird"}]))
    studio.captions.import_file(tmp_path / "captions.json", "words")
    context = InlineContext(studio.workspace.root / "jobs" / "real",
                            real_images_config("words", str(tmp_path / "images")))
    run_real_images(context, studio.workspace)  # type: ignore[arg-type]
    desk, model = studio.caption_curation, save_tiny_blip(tmp_path / "blip")
    assert "not on this machine" in curate(studio)["unavailable"]["image_text_matching"]
    assert "score them first" in curate(studio)["unavailable"]["image_text_similarity"]
    settings = desk.settings("plain", [f"image_text_matching.model={model}", "image_text_matching.min=none",
                                       "image_text_matching.max=0"])
    assert desk.needs_job("words", settings)
    result = job(studio, settings)
    assert result["reasons"]["image_text_matching"] == 3, "captions without an image are not judged by it"
    found = desk.view("words", settings)["histograms"]["image_text_matching"]
    assert sum(found["all"]) == 3 and 0 < found["min"] <= found["max"] < 1
