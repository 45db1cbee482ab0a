"""Comparison in a real browser: pairs by keys, the slider by keyboard, sets and their figures, a blind rating run."""

from __future__ import annotations

from typing import Any

import pytest
from real_workspace import CAPTIONS, compared
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until

LOADED = "[...document.querySelectorAll('.s-pair-stage img')].every((one) => one.complete && one.naturalWidth > 0)"


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve(compared)


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
