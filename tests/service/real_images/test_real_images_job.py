"""Real images in the store: stored once, resumed, refused with reasons, and left out of everything that curates."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from job_under_test import InlineContext
from PIL import Image
from small_workspace import fill

from synthvlm_ui.errors import BadSetting, UnknownName, UnreadableFile
from synthvlm_ui.records import REAL
from synthvlm_ui.service import Studio
from synthvlm_ui.service.real_images import real_images_job
from synthvlm_ui.service.real_images.real_images_job import real_images_config, run_real_images
from synthvlm_ui.service.real_images.real_sources import ImageFolder, RefusedImage, open_source


def picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five good images, one in a folder, and four that must not be stored."""
    images = tmp_path / "images"
    for number in range(5):
        picture(images / ("deep/4.png" if number == 4 else f"{number}.png"), number)
    (images / "broken.png").write_bytes((images / "0.png").read_bytes()[:60])
    picture(tmp_path / "secret.png", 9)
    (images / "link.png").symlink_to(tmp_path / "secret.png")
    names = [*(f"{number}.png" for number in range(4)), "deep/4.png", "broken.png", "link.png", "../secret.png",
             "missing.png", str(tmp_path / "secret.png")]
    rows = [{"id": f"c{number}", "caption": f"caption {number}", "image": name} for number, name in enumerate(names)]
    (tmp_path / "captions.json").write_text(json.dumps(rows), encoding="utf-8")
    return images


def run(studio: Studio, folder: Path, *, stop_after: int | None = None, again: bool = False, job: str = "job") -> dict:
    config = real_images_config("set", str(folder), again=again)
    context = InlineContext(studio.workspace.root / "jobs" / job, config, stop_after)
    return dict(run_real_images(context, studio.workspace))  # type: ignore[arg-type]


def test_good_images_are_stored_and_bad_ones_are_named(studio: Studio, folder: Path, tmp_path: Path) -> None:
    studio.captions.import_file(tmp_path / "captions.json", "set")
    result = run(studio, folder)
    assert (result["stored"], result["skipped"]) == (5, 5)
    assert result["reasons"] == {"outside the image folder": 3, "broken image": 1,
                                 "no such file in the image folder": 1}
    assert {row["caption_id"] for row in result["examples"]} == {"c5", "c6", "c7", "c8", "c9"}
    studio.refresh()
    columns = studio.workspace.columns
    assert columns.n == 5 and columns.is_real.all()
    row = int(np.flatnonzero(columns.caption_code == columns.caption_code_of("set", "c4"))[0])
    assert columns.image(row) == ((folder / "deep/4.png").read_bytes(), "image/png")
    assert Image.open(io.BytesIO(columns.thumbnail(row))).size == (32, 24)
    facts = columns.candidate(row)
    assert (facts.generator, facts.model, facts.seed, facts.width, facts.height) == (REAL, REAL, 0, 32, 24)


def test_a_stopped_job_goes_on_and_a_second_one_finds_what_is_there(
        studio: Studio, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_images_job, "CHUNK_IMAGES", 2)
    studio.captions.import_file(tmp_path / "captions.json", "set")
    first = run(studio, folder, stop_after=2)
    assert first["stored"] == 4
    with (studio.workspace.root / "jobs/job/chunks.jsonl").open("a") as ledger:
        ledger.write('\n{"chunk": 2, "sto')  # what a kill leaves
    whole = run(studio, folder)
    assert (whole["stored"], whole["skipped"]) == (5, 5)
    assert run(studio, folder, job="second")["stored"] == 0
    picture(folder / "0.png", 77)
    assert run(studio, folder, job="third", again=True)["stored"] == 5
    studio.refresh()
    assert studio.workspace.columns.n == 6  # only the changed file is new


def test_real_images_are_not_curated_counted_or_planned(studio: Studio, folder: Path, tmp_path: Path) -> None:
    captions = [f"caption {number}" for number in range(5)]
    made = fill(studio, "set", captions, 2)
    ids = {candidate.caption: candidate.caption_id for candidate in made}
    rows = [{"id": ids[caption], "caption": caption, "image": f"{number}.png"}
            for number, caption in enumerate(captions[:4])]
    (tmp_path / "again.json").write_text(json.dumps(rows), encoding="utf-8")
    studio.captions.import_file(tmp_path / "again.json", "set", on_duplicate="replace")
    before = studio.curation.yield_of(studio.curation.rule("set"))
    assert run(studio, folder)["stored"] == 4
    studio.refresh()
    summary = studio.summary()["datasets"][0]
    assert (summary["candidates"], summary["scored"], summary["real"]) == (10, 10, 4)
    assert studio.info()["counts"] == {"captions": 5, "candidates": 10, "real_images": 4}
    after = studio.curation.yield_of(studio.curation.rule("set"))
    assert {**after, "version": 0, "real_total": 0} == {**before, "version": 0, "real_total": 0}
    assert studio.captions.page("set")["rows"][0]["candidates"] == 2
    real = studio.workspace.columns.ids_of(np.flatnonzero(studio.workspace.columns.is_real))
    for show in ("all", "kept", "undecided", "failed"):
        page = studio.curation.page(studio.curation.rule("set"), show=show)
        assert not set(real) & {item["id"] for item in page["items"]}
    assert studio.curation.select("best", studio.curation.rule("set"))["total"] == 10
    assert not set(real) & set(studio.exports._rejected(studio.workspace.selections.load("best")))
    with pytest.raises(BadSetting, match="real image"):
        studio.curation.verdict(real[:1], "keep")
    shown = studio.curation.candidate(made[0].id)
    assert len(shown["siblings"]) == 1 and shown["real"] == [real[0]]


def test_a_kept_snapshot_knows_which_rows_are_real(studio: Studio, folder: Path, tmp_path: Path) -> None:
    studio.captions.import_file(tmp_path / "captions.json", "set")
    run(studio, folder)
    studio.refresh()
    studio.workspace.columns.save_snapshot()
    again = Studio.open(studio.workspace.root)
    assert again.workspace.columns.is_real.sum() == 5
    again.close()


def test_scenes_of_the_small_world_are_real_images_too(studio: Studio) -> None:
    outcome = studio.real_images.import_world("miniature:world-heldout", "world", 3)
    assert outcome["imported"] == 3
    config = real_images_config("world", "miniature:world-heldout")
    context = InlineContext(studio.workspace.root / "jobs" / "world", config)
    assert run_real_images(context, studio.workspace)["stored"] == 3  # type: ignore[arg-type]
    studio.refresh()
    scene = open_source("miniature:world-heldout")
    row = int(np.flatnonzero(studio.workspace.columns.is_real)[0])
    assert studio.workspace.columns.image(row) == (scene.read("0"), "image/png")


def test_bad_sources_are_refused_before_anything_is_queued(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        studio.real_images.start("set", str(tmp_path / "nowhere"))
    with pytest.raises(UnknownName, match="miniature:world-heldout"):
        studio.real_images.import_world("miniature:elsewhere", "set")
    with pytest.raises(UnknownName):
        studio.real_images.start("no-such-set", str(tmp_path))
    with pytest.raises(BadSetting):
        studio.real_images.import_world("miniature:world-heldout", "world", 0)
    assert studio.jobs.list()["jobs"] == []


@pytest.mark.parametrize("name", ["", ".", "a\0b", "http://example.org/x.png", "/etc/passwd", "..", "deep"])
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(RefusedImage):
        ImageFolder(folder).read(name)
