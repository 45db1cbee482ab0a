"""Comparison in a real browser: pairs by keys, the slider by keyboard, sets and their figures, a blind rating run,
a scorer learnt from verdicts, FID, and a model as a rater."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_workspace import CAPTIONS, CLIP, compared
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until
from small_workspace import fill

sys.path.append(str(Path(__file__).parent.parent / "backends"))
from tiny_vlm import save_tiny_vlm  # noqa: E402

LOADED = "[...document.querySelectorAll('.s-pair-stage img')].every((one) => one.complete && one.naturalWidth > 0)"


def liked(studio: Any) -> None:
    """A dataset whose candidates are kept when the first number of their embedding is large, rejected when small."""
    captions = [f"a dog and {number} moons" for number in range(12)]
    made = fill(studio, "liked", captions, 2)
    ids = [one.id for one in made]
    vectors = np.random.default_rng(2).normal(size=(len(ids), 8)).astype(np.float32)
    vectors[:, 0] = [3 if place % 2 else -3 for place in range(len(ids))]
    studio.workspace.scores.write("liked", "shard-1", CLIP, ids,
                                  {"clip_cosine": np.full(len(ids), 0.3, np.float32)}, vectors)
    studio.refresh()
    studio.curation.verdict(ids[1::2], "keep")
    studio.curation.verdict(ids[::2], "reject")


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    def prepare(studio: Any) -> None:
        compared(studio)
        liked(studio)

    return serve(prepare)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision-language model and an Inception network, both of random weights."""
    from safetensors.torch import save_file

    from synthvlm_ui.backends.inception_features import Inception

    folder = tmp_path_factory.mktemp("models")
    save_tiny_vlm(folder / "vlm")
    weights = {name: value for name, value in Inception().state_dict().items() if "num_batches" not in name}
    save_file(weights, folder / "inception.safetensors")
    return folder


@pytest.fixture
def page(app: ServedApp, visit: Any) -> Any:
    page = visit(app).open("Compare")
    page.locator(".s-pair-caption").first.wait_for()
    return page


def room(page: Any, name: str) -> None:
    page.locator(".s-rooms label", has_text=name).click()


def where(page: Any) -> str:
    return str(page.locator(".s-where:visible").inner_text())


def test_pairs_are_stepped_by_keys_and_looked_at_in_four_ways(page: Any) -> None:
    until(page, lambda: where(page) == f"1 of {len(CAPTIONS)}")
    page.locator(".s-pair-caption").first.click()
    page.keyboard.press("ArrowRight")
    until(page, lambda: where(page) == f"2 of {len(CAPTIONS)}")
    page.keyboard.press("ArrowLeft")
    until(page, lambda: where(page) == f"1 of {len(CAPTIONS)}")
    before = page.locator(".s-pair-stage img").nth(1).get_attribute("src")
    page.keyboard.press("c")
    until(page, lambda: page.locator(".s-pair-stage img").nth(1).get_attribute("src") != before)
    assert page.get_by_label("Candidate 2 of 2").get_attribute("aria-pressed") == "true"
    snap(page, "compare-pairs")
    for mode in ("slider", "difference", "ssim"):
        page.keyboard.press("m")
        until(page, lambda mode=mode: page.locator(".s-pair-stage").get_attribute("data-mode") == mode)
        until(page, lambda: page.evaluate(LOADED))
        snap(page, f"compare-{mode}")


def test_the_slider_is_moved_by_keyboard(page: Any) -> None:
    page.locator(".s-segments label", has_text="Slider").click()
    slider = page.get_by_label("Where the real picture ends")
    slider.focus()
    box = page.locator(".s-slider-box")
    place = "getComputedStyle(document.querySelector('.s-slider-box')).getPropertyValue('--place').trim()"
    assert page.evaluate(place) == "50%"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    until(page, lambda: page.evaluate(place) == "52%")
    page.keyboard.press("Home")
    until(page, lambda: page.evaluate(place) == "0%")
    page.keyboard.press("End")
    until(page, lambda: page.evaluate(place) == "100%")
    assert slider.get_attribute("aria-valuetext") == "100 % real"
    assert where(page) == f"1 of {len(CAPTIONS)}"  # the arrows moved the slider and not the pair
    assert box.is_visible()


def test_pairs_are_ordered_by_their_gap(page: Any) -> None:
    page.get_by_label("Order", exact=True).last.select_option("synthetic-better")
    page.get_by_label("By", exact=True).select_option("clip_cosine")
    until(page, lambda: page.locator(".s-change").first.get_attribute("data-sign") == "1")
    command = page.locator("synth-compare synth-command code").first.inner_text()
    assert "compare --real toys --synthetic toys" in command


def test_sets_are_measured_drawn_and_taken_away(page: Any) -> None:
    room(page, "Sets")
    rows = page.locator(".s-set-table tbody tr")
    until(page, lambda: rows.count() == 2)
    assert "0.250 ±" in rows.first.inner_text()
    assert "CMMD" in page.locator(".s-distances").inner_text()
    until(page, lambda: page.evaluate("[...document.querySelectorAll('.s-plot-image')].filter((one) => one.complete"
                                      " && one.naturalWidth > 0).length") == 3)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Table as CSV").click()
    assert b"real:toys" in saved.value.path().read_bytes()
    page.get_by_label("Map", exact=True).select_option("pca")
    page.get_by_role("button", name="Lay out the map").click()
    until(page, lambda: page.locator("img[alt^='Map of']").count() == 1, limit_ms=60_000)
    until(page, lambda: page.evaluate("document.querySelector(\"img[alt^='Map of']\").naturalWidth > 0"))
    snap(page, "compare-sets")


def test_a_blind_study_is_rated_by_keys_interrupted_and_reported(page: Any, app: ServedApp) -> None:
    room(page, "Blind preference")
    page.get_by_label("Name of the study").fill("eyes")
    page.get_by_label("Pairs", exact=True).last.fill("4")
    page.get_by_label("Rater").fill("ada") if page.get_by_label("Rater").is_visible() else None
    page.get_by_role("button", name="Start a study").click()
    stage = page.locator(".s-stage-blind")
    stage.wait_for()
    shown = page.locator(".s-stage-blind").inner_html()
    assert "real" not in shown.lower() and "synthetic" not in shown.lower()
    done = page.locator(".s-stage-blind [role=status]")
    snap(page, "compare-blind")
    for number, key in enumerate(["1", "2", "t"], start=1):
        page.keyboard.press(key)
        until(page, lambda number=number: done.inner_text().startswith(f"{number} of 4"))
    page.reload()
    open_room(page, "Compare")
    room(page, "Blind preference")
    page.get_by_role("button", name="Rate", exact=True).click()
    until(page, lambda: done.inner_text().startswith("3 of 4"))
    caption = page.locator(".s-stage-blind .s-pair-caption")
    fourth = caption.inner_text()
    page.keyboard.press("b")
    until(page, lambda: caption.inner_text() != fourth)
    page.keyboard.press("s")  # the third again, skipped now instead of a tie
    until(page, lambda: caption.inner_text() == fourth)
    page.keyboard.press("1")
    report = page.locator(".s-study-report")
    report.wait_for()
    until(page, lambda: "4 ratings" in report.inner_text())
    assert "95 % interval" in report.inner_text()
    counted = app.ask("compare/study/eyes")
    assert (counted["ratings"], counted["counts"]["skip"], counted["counts"]["tie"]) == (4, 1, 0)
    snap(page, "compare-report")


def test_a_scorer_is_learnt_from_verdicts_and_stands_in_curates_histograms(page: Any) -> None:
    room(page, "Scorers")
    room_of = page.get_by_role("region", name="Scorers")
    name = page.get_by_label("Name of the scorer")
    room_of.get_by_label("Dataset").first.select_option("toys")
    name.fill("taste")
    page.get_by_role("button", name="Learn and score").click()
    page.get_by_text("0 kept and 0 rejected candidates").wait_for()  # refused with the reason
    room_of.get_by_label("Dataset").first.select_option("liked")
    until(page, lambda: "12 kept and 12 rejected" in room_of.inner_text())
    page.get_by_role("button", name="Learn and score").click()
    page.get_by_text("Cross-validated over 5 folds").wait_for(timeout=90_000)
    assert "100 %" in room_of.locator(".s-win").inner_text()
    assert "head learn --dataset liked --name taste --score" in room_of.locator("synth-command code").inner_text()
    until(page, lambda: room_of.locator(".s-head-table tbody tr").count() == 1)
    snap(page, "compare-scorers")
    room_of.get_by_label("Show head_taste in Curate").first.click()
    plot = page.locator("[data-column=head_taste] svg[role=img]")
    until(page, lambda: plot.count() and "24 candidates" in (plot.get_attribute("aria-label") or ""))
    until(page, lambda: page.locator(".s-count b").first.inner_text() == "12")


def test_fid_and_a_model_as_a_rater(page: Any, app: ServedApp, models: Path) -> None:
    room(page, "Sets")
    weights = page.get_by_label("Inception weights")
    weights.fill(str(models / "nothing.safetensors"))
    page.get_by_role("button", name="Measure FID").click()
    page.get_by_text("no safetensors file of Inception weights").wait_for()
    weights.fill(str(models / "inception.safetensors"))
    page.get_by_role("button", name="Measure FID").click()
    page.get_by_text("of 12 and 6 images").wait_for(timeout=120_000)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Table as CSV").click()
    assert saved.value.path().read_text().splitlines()[2].split(",")[-1] != "", "the table has FID"
    app_job = app.ask("compare/latest?specs=real:toys,toys")["fid"]
    assert app.ask(f"compare/job/{app_job}")["fid"][0]["fid"] > 0
    room(page, "Blind preference")
    page.get_by_label("Name of the study").fill("judged")
    page.get_by_label("Pairs", exact=True).last.fill("3")
    page.get_by_role("button", name="Start a study").click()
    page.get_by_role("button", name="Stop and see").click()
    page.get_by_label("Study", exact=True).select_option("judged")
    model = page.get_by_label("Model", exact=True)
    model.fill("miniature")
    page.get_by_role("button", name="Let it judge").click()
    page.get_by_text("reads no images").wait_for()
    model.fill(str(models / "vlm"))
    page.get_by_role("button", name="Let it judge").click()
    page.get_by_text("without an answer that could be read").wait_for(timeout=120_000)
    snap(page, "compare-judge")


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_light_and_dark(app: ServedApp, visit: Any, dark: bool) -> None:
    page = visit(app, phone=True, dark=dark).open()
    page.goto(app.address + "#compare")  # a narrow page keeps this tab in a menu
    page.reload()
    page.locator(".s-pair-caption").first.wait_for()
    assert no_sideways_scrolling(page)
    snap(page, f"compare-phone-pairs-{'dark' if dark else 'light'}")
    room(page, "Sets")
    page.locator(".s-set-table tbody tr").first.wait_for()
    page.wait_for_timeout(500)
    assert no_sideways_scrolling(page)
    snap(page, f"compare-phone-sets-{'dark' if dark else 'light'}")
    room(page, "Blind preference")
    page.get_by_role("button", name="Start a study").wait_for()
    assert no_sideways_scrolling(page)
