"""Comparison over a real workspace: sets, pairs, pictures, studies, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from job_under_test import InlineContext
from PIL import Image
from real_workspace import CAPTIONS, add_real, compared
from small_workspace import fill
from tiny_vlm import save_tiny_vlm

from synthvlm_ui.errors import BadSetting, DuplicateId, EmptyInput, UnknownName, UnreadableFile
from synthvlm_ui.protocols import WriteRequest
from synthvlm_ui.records import ScorerInfo, WriterInfo
from synthvlm_ui.service import Studio
from synthvlm_ui.service.comparison import comparison_job, judge_job
from synthvlm_ui.service.comparison.comparison_figures import files_of


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    opened = Studio.open(tmp_path / "workspace", actor="ada")
    compared(opened)
    yield opened
    opened.close()


def test_sets_are_told_apart_and_measured(studio: Studio) -> None:
    real, synthetic, notes = studio.comparison.specs("toys", ["toys"])
    result = studio.comparison.sets([real, *synthetic])
    assert list(result["sets"]) == ["real:toys", "toys"] and notes == result["notes"] == []
    assert (result["sets"]["real:toys"]["n"], result["sets"]["toys"]["n"]) == (6, 12)
    assert result["sets"]["real:toys"]["clip_cosine"]["mean"] == pytest.approx(0.25)
    assert result["sets"]["toys"]["combined"]["mean"] == pytest.approx(0.25 + 0.5 * 0.5, abs=1e-6)
    assert result["cmmd"] == result["distances"][0]["cmmd"] > 0
    shares = result["histograms"]["clip_cosine"]["shares"]
    assert all(sum(values) == pytest.approx(1) for values in shares.values())


def test_a_selection_and_any_number_of_sets(studio: Studio) -> None:
    studio.curation.select("best", studio.curation.rule("toys", top_k=3))
    _, specs, _ = studio.comparison.specs("toys", ["toys", "best"])
    result = studio.comparison.sets(["real:toys", *specs])
    assert result["sets"]["best"]["n"] == 3 and len(result["distances"]) == 2
    assert {one["spec"] for one in studio.comparison.choices()["synthetic"]} == {"toys", "selection:best"}


def test_further_scores_stand_in_the_table_when_every_set_has_them(studio: Studio) -> None:
    taste = ScorerInfo("head_taste", ("head_taste",), {"weights": "1"})
    for shard in ("shard-1", "real-1"):
        before = studio.comparison.sets(["real:toys", "toys"])
        assert before["columns"] == ["clip_cosine", "ssim", "combined"], "one set alone has it"
        key = next(one for one in studio.workspace.scores.keys("toys", shard) if one.startswith("clip"))
        ids = [one.decode() for one in studio.workspace.scores.read("toys", shard, key).candidate_ids]
        studio.workspace.scores.write("toys", shard, taste, ids, {"head_taste": np.full(len(ids), 0.75, np.float32)})
        studio.refresh()
    result = studio.comparison.sets(["real:toys", "toys"])
    assert result["columns"][3:] == ["head_taste"] and result["scorers"]["head_taste"] == taste.key
    assert result["sets"]["toys"]["head_taste"]["mean"] == pytest.approx(0.75)
    files = files_of(result)
    assert "head_taste_mean" in files["sets.csv"].decode() and files["head_taste.svg"].startswith(b"<svg")


def test_what_a_job_has_made_of_these_sets_is_found_again(studio: Studio, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(studio.jobs), "_wake", lambda *_: None)  # what is queued shall stay so
    specs = ["real:toys", "toys"]
    assert studio.comparison.latest(specs) == {"map": None, "fid": None}
    drawn = studio.comparison.start(specs, method="pca")
    with pytest.raises(UnreadableFile, match="Inception"):
        studio.comparison.start(specs, method=None, fid_weights=str(tmp_path / "nothing.safetensors"))
    (tmp_path / "inception.safetensors").touch()
    with pytest.raises(BadSetting, match="FID of one set"):
        studio.comparison.start(specs[:1], method=None, fid_weights=str(tmp_path / "inception.safetensors"))
    measured = studio.comparison.start(specs, method=None, fid_weights=str(tmp_path / "inception.safetensors"))
    assert studio.comparison.latest(specs) == {"map": drawn, "fid": measured}
    assert studio.comparison.latest(specs[::-1]) == {"map": None, "fid": None}


def test_every_file_of_a_comparison_is_what_it_says(studio: Studio, tmp_path: Path) -> None:
    result = studio.comparison.sets(["real:toys", "toys"])
    points = {"real:toys": [[0, 0], [1, 1]], "toys": [[2, 0]]}
    result["map"] = {"method": "pca", "embeddings": "image", "points": points}
    files = files_of(result)
    assert files["sets.csv"].decode().splitlines()[1].startswith("real:toys,6,0.25")
    assert files["map.svg"].startswith(b"<svg") and b"real:toys" in files["clip_cosine.svg"]
    assert Image.open(io.BytesIO(files["map.png"])).size == (1440, 1280)
    assert len(studio.comparison.write_figures(result, tmp_path / "out")) == len(list((tmp_path / "out").iterdir()))
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting):
        studio.comparison.write_figures(result, tmp_path / "file")


def test_pairs_come_by_their_gap_with_every_candidate(studio: Studio) -> None:
    found = studio.comparison.pairs("real:toys", "toys", score="clip_cosine", order="synthetic-better")
    assert found["total"] == 6 and all(len(pair["candidates"]) == 2 for pair in found["pairs"])
    best = [max(one["change"]["clip_cosine"] for one in pair["candidates"]) for pair in found["pairs"]]
    assert best == sorted(best, reverse=True)
    first = found["pairs"][0]
    assert first["candidates"][0]["change"]["clip_cosine"] == pytest.approx(
        first["candidates"][0]["clip_cosine"] - first["real"]["clip_cosine"], abs=2e-6)
    assert studio.comparison.pairs("real:toys", "toys", offset=5)["pairs"][0]["caption"]


def test_pairs_across_datasets_meet_by_caption_id(studio: Studio) -> None:
    studio.captions.import_texts("\n".join([*CAPTIONS[2:], "only here"]), "photos")
    add_real(studio, "photos", [*CAPTIONS[2:], "only here"])
    found = studio.comparison.pairs("real:photos", "toys", order="caption")
    assert sorted(pair["caption"] for pair in found["pairs"]) == CAPTIONS[2:]


def test_pictures_of_a_difference(studio: Studio) -> None:
    pair = studio.comparison.pairs("real:toys", "toys")["pairs"][0]
    real, made = pair["real"]["id"], pair["candidates"][0]["id"]
    for kind, size in (("difference", (48, 48)), ("ssim", (48, 48)), ("round-trip", (64, 64))):
        content, media_type = studio.comparison.picture(kind, real, made)
        assert media_type == "image/webp" and Image.open(io.BytesIO(content)).size == size
    same = Image.open(io.BytesIO(studio.comparison.picture("difference", made, made)[0]))
    assert np.asarray(same.convert("RGB")).max() <= 4  # black where nothing differs
    with pytest.raises(BadSetting):
        studio.comparison.picture("heat", real, made)
    with pytest.raises(UnknownName):
        studio.comparison.picture("ssim", real, "0" * 16)


def test_what_cannot_be_compared_says_why(studio: Studio) -> None:
    with pytest.raises(UnknownName, match="toys"):
        studio.comparison.specs("nothing", ["toys"])
    studio.captions.import_texts("a lonely caption", "empty")
    with pytest.raises(EmptyInput, match="no images"):
        studio.comparison.specs("empty", ["toys"])
    with pytest.raises(BadSetting, match="one set twice"):
        studio.comparison.sets(["toys", "toys"])
    fill(studio, "others", ["another caption"], 1)
    with pytest.raises(EmptyInput, match="no caption"):
        studio.comparison.pairs("real:toys", "others")
    spec, _, notes = studio.comparison.specs("others", ["toys"])
    assert spec == "others" and "stand for them" in notes[0]


def test_unscored_and_differently_scored_sets(studio: Studio) -> None:
    studio.captions.import_texts("\n".join(CAPTIONS), "plain")
    add_real(studio, "plain", CAPTIONS, scored=False)
    studio.refresh()
    result = studio.comparison.sets(["real:plain", "toys"])
    assert result["cmmd"] is None and result["sets"]["plain"]["clip_cosine"]["mean"] is None
    assert len(result["notes"]) == 2
    studio.captions.import_texts("\n".join(CAPTIONS), "large")
    add_real(studio, "large", CAPTIONS, clip=ScorerInfo("clip", ("clip_cosine",), {"model": "other"}))
    studio.refresh()
    with pytest.raises(BadSetting, match="different settings of clip"):
        studio.comparison.sets(["real:large", "toys"])


def test_the_job_lays_out_a_map(studio: Studio) -> None:
    key = studio.workspace.columns.active_key("clip")
    config = {"specs": ["real:toys", "toys"], "method": "pca", "embeddings": "image", "fid_weights": None, "seed": 0,
              "clip_key": key}
    context = InlineContext(studio.workspace.root / "jobs" / "map", config)
    result = comparison_job.run_compare(context, studio.workspace, None)  # type: ignore[arg-type]
    assert [len(points) for points in result["map"]["points"].values()] == [6, 12]


def test_a_study_is_rated_blindly_resumed_and_reported(studio: Studio) -> None:
    started = studio.preference.start("eyes", "real:toys", "toys", pairs=4, seed=3)
    assert started["pairs"] == 4
    seen: list[int] = []
    shown = studio.preference.next("eyes")
    while shown["pair"] is not None:
        assert not {"real", "synthetic", "outcome"} & set(shown)
        seen.append(shown["pair"])
        studio.preference.rate("eyes", shown["pair"], "1")
        again = Studio.open(studio.workspace.root, actor="ada")  # another process goes on where this one is
        shown = again.preference.next("eyes")
        again.close()
    assert sorted(seen) == [0, 1, 2, 3]
    back = studio.preference.back("eyes")
    assert back["pair"] == seen[-1]
    studio.preference.rate("eyes", back["pair"], "tie")
    for pair in range(4):
        studio.preference.rate("eyes", pair, "2", "bob")
    report = studio.preference.report("eyes")
    assert report["ratings"] == 8 and report["counts"]["tie"] == 1 and len(report["raters"]) == 2
    assert report["agreement"]["pairwise"][0]["n"] == 4
    assert report["scores"]["clip_cosine"]["n"] == 7
    assert studio.preference.studies()["studies"][0]["ratings"] == 8
    kinds = [event["kind"] for event in studio.curation.events()["events"]]
    assert kinds.count("rating") == 9 and kinds.count("study") == 1


def test_bad_ratings_change_nothing(studio: Studio) -> None:
    studio.preference.start("eyes", "real:toys", "toys", pairs=2)
    before = studio.workspace.journal.last_id()
    for wrong, error in (({"choice": "both"}, BadSetting), ({"pair": 9}, UnknownName), ({"study": "ears"}, UnknownName),
                         ({"rater": "a\nb"}, BadSetting)):
        given: dict[str, Any] = {"study": "eyes", "pair": 0, "choice": "1", "rater": None, **wrong}
        with pytest.raises(error):
            studio.preference.rate(**given)
    with pytest.raises(DuplicateId):
        studio.preference.start("eyes", "real:toys", "toys")
    with pytest.raises(BadSetting):
        studio.preference.start("../eyes", "real:toys", "toys")
    assert studio.workspace.journal.last_id() == before


class Judge:
    """A writer that prefers the brighter half, or always the left one."""

    def __init__(self, always: str = "") -> None:
        self.info = WriterInfo("judge", "judge", "1", accepts_images=True)
        self._always = always

    def write(self, requests: list[WriteRequest]) -> list[str | Exception]:
        answers: list[str | Exception] = []
        for request in requests:
            assert request.image is not None and "Caption:" in request.prompt
            half = request.image.shape[1] // 2
            left, right = request.image[:, :half].mean(), request.image[:, half:].mean()
            answers.append(self._always or ("The LEFT one." if left > right else "right"))
        return answers


@pytest.mark.parametrize(("always", "ties"), [("", 0), ("left", 3)])
def test_a_model_judges_from_both_sides(studio: Studio, monkeypatch: pytest.MonkeyPatch, always: str,
                                        ties: int) -> None:
    studio.preference.start("eyes", "real:toys", "toys", pairs=3)
    monkeypatch.setattr(judge_job, "create_writer", lambda name, device: Judge(always))
    context = InlineContext(studio.workspace.root / "jobs" / "judge", {"study": "eyes", "writer": "x", "limit": 3})
    result = judge_job.run_judge(context, studio.workspace, "cpu")  # type: ignore[arg-type]
    assert (result["rated"], result["consistent"]) == (3, 3 - ties)
    report = studio.preference.report("eyes")
    assert report["counts"]["tie"] == ties and report["raters"][0]["rater"] == "model:judge"
    assert judge_job.run_judge(context, studio.workspace, "cpu")["rated"] == 0  # type: ignore[arg-type]


def test_a_vision_language_model_of_transformers_judges(studio: Studio, tmp_path: Path) -> None:
    model = str(save_tiny_vlm(tmp_path / "a-long-name-of-a-directory" / "vlm"))
    studio.preference.start("eyes", "real:toys", "toys", pairs=2)
    context = InlineContext(studio.workspace.root / "jobs" / "judge", {"study": "eyes", "writer": model, "limit": 2})
    result = judge_job.run_judge(context, studio.workspace, "cpu")  # type: ignore[arg-type]
    assert result["rated"] + result["failed"] == 2, "a random model says what it likes"
    assert result["rater"].startswith("model:") and result["rater"].endswith("/vlm") and len(result["rater"]) <= 80
    assert studio.preference.report("eyes")["ratings"] == result["rated"]
    with pytest.raises(BadSetting, match="reads no images"):
        studio.preference.judge("eyes", "miniature")


def test_nothing_of_either_picture_is_lost_to_a_processor_that_cuts_a_square() -> None:
    left, right = np.full((40, 60, 3), 10, np.uint8), np.full((90, 30, 3), 240, np.uint8)
    sheet = judge_job.side_by_side(left, right)
    assert sheet.shape[0] == sheet.shape[1]
    assert (sheet < 20).any() and (sheet > 230).any()


def test_a_judge_that_answers_nothing_is_a_failure_and_no_rating(studio: Studio,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    studio.preference.start("eyes", "real:toys", "toys", pairs=2)
    monkeypatch.setattr(judge_job, "create_writer", lambda name, device: Judge("Nice pictures!"))
    context = InlineContext(studio.workspace.root / "jobs" / "judge", {"study": "eyes", "writer": "x", "limit": 2})
    assert judge_job.run_judge(context, studio.workspace, "cpu")["failed"] == 2  # type: ignore[arg-type]
    assert studio.preference.report("eyes")["ratings"] == 0
