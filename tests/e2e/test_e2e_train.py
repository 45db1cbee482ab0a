"""Training in a real browser: a selection becomes a model; page and app may end meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scene_workspace import fill_with_scenes
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until

WORK_MS = 180_000


@pytest.fixture(scope="module")
def app(serve: Any) -> Iterator[ServedApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # of the worker: its networks are tiny
        yield serve(lambda studio: fill_with_scenes(studio, "toys", 40))


def state(page: Any) -> str:
    return str(page.locator(".s-train-run .s-state").inner_text())


def test_a_selection_becomes_a_model_whatever_happens_to_page_and_app(app: ServedApp, visit: Any, tmp_path: Path,
                                                                      serve: Any) -> None:
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.wait_for()
    page.get_by_label("Name of the selection").fill("half")
    page.get_by_role("button", name="Save selection").click()
    until(page, lambda: app.ask("selections")["selections"])

    open_room(page, "Train")
    page.locator("synth-train").get_by_label("Preset", exact=True).select_option("tiny")
    page.locator(".s-train-sets").get_by_role("checkbox", name="half").check()
    page.locator("synth-train").get_by_label("Steps", exact=True).fill("260")
    page.locator("synth-train").get_by_label("Batch size").fill("8")
    page.locator("synth-train").get_by_label("Name of the model").fill("first")
    start = page.get_by_role("button", name="Start training")
    line = page.locator(".s-div-side > synth-command code")
    until(page, lambda: "--selection half" in line.inner_text() and "models/first" in line.inner_text())
    until(page, start.is_enabled)
    assert page.locator(".s-train-checks li[data-state=failed]").count() == 0
    start.click()
    page.locator(".s-train-run .scatterlayer .trace").first.wait_for(timeout=WORK_MS)
    job = app.ask("train/runs")["runs"][0]["job_id"]
    page.close()
    app.restart()

    page = visit(app).open("Train")  # another browser, another server: the run is found again
    until(page, lambda: state(page) == "training", WORK_MS)
    until(page, lambda: app.ask("train/runs")["runs"][0]["steps"] >= 60, WORK_MS)
    page.get_by_role("button", name="Stop with a checkpoint").click()
    until(page, lambda: state(page) == "stopped", WORK_MS)
    stopped_at = app.ask("train/runs")["runs"][0]["steps"]
    assert 60 <= stopped_at < 260
    page.get_by_role("button", name="Resume").click()
    until(page, lambda: state(page) == "finished", WORK_MS)
    rows = app.ask(f"train/run/{job}")["rows"]
    assert [row["step"] for row in rows] == list(range(1, 261)), "resumed where it had stopped"
    losses = [row["loss"] for row in rows]
    assert sum(losses[-40:]) < 0.9 * sum(losses[:40])  # 0.85 on one thread

    page.get_by_role("button", name="Evaluate").click()
    row = page.locator(f"tr[data-job='{job}']")
    until(page, lambda: "cider" in row.inner_text(), WORK_MS)
    assert "half" in row.inner_text() and "260" in row.inner_text() and "done" in row.inner_text()
    Image.new("RGB", (90, 60), (200, 30, 30)).save(tmp_path / "red.png")
    page.locator("synth-train").get_by_label("A picture").set_input_files(tmp_path / "red.png")
    said = page.locator(".s-train-said dd[data-kind]")
    until(page, lambda: said.count() == 2, WORK_MS)
    assert said.first.inner_text() and said.first.inner_text() != said.last.inner_text()
    snap(page, "train")
    assert app.gone_wrong() == []
    row.get_by_role("button", name="half").click()
    page.locator(".s-tile").first.wait_for()
    kept = app.ask("selections")["selections"][0]["kept"]
    until(page, lambda: page.locator(".s-count b").first.inner_text() == str(kept))


def test_what_is_wrong_is_said_before_the_start(app: ServedApp, visit: Any, tmp_path: Path) -> None:
    page = visit(app, phone=True, dark=True).page
    page.goto(app.address + "#train")
    page.locator(".s-train-checks li[data-state=failed]").get_by_text("there is nothing to train on").wait_for()
    assert page.get_by_role("button", name="Start training").is_disabled()
    page.locator("synth-train").get_by_label("Recipe").select_option("llava-stage1")
    page.get_by_text("there is no model to start from").wait_for()
    assert no_sideways_scrolling(page)
    snap(page, "train-phone-dark")
    (tmp_path / "no.png").write_bytes(b"not a picture")
    until(page, lambda: page.locator(".s-train-table tbody tr").count())
    page.locator("synth-train").get_by_label("A picture").set_input_files(tmp_path / "no.png")
    page.get_by_text("not an image of a known format").wait_for()
    assert os.listdir(app.workspace / "models") == ["first"], "looking wrote nothing"
