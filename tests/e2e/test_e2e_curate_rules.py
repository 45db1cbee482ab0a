"""Rules in a real browser: both bounds of a histogram by hand, keys and typing; what the cut looks like; filters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from curate_page import OF_TOYS, ROWS, command, drag, kept, prepare, shown, whole
from served_app import ServedApp, snap, until


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve(prepare)


@pytest.fixture
def page(app: ServedApp, visit: Any) -> Any:
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.wait_for()
    until(page, lambda: kept(page) > OF_TOYS)
    return page


def test_a_brush_sets_both_bounds_and_the_lines_move_on_their_own(page: Any) -> None:
    everything = kept(page)
    drag(page, "clip_cosine", 0.4, 0.7)
    brushed = until(page, lambda: kept(page) if kept(page) < everything else 0)
    low, high = (page.get_by_label(f"CLIPScore at {end}") for end in ("least", "most"))
    assert float(low.input_value()) < float(high.input_value())
    until(page, lambda: "--clip-min" in command(page) and "clip_cosine <= " in command(page))
    drag(page, "clip_cosine", 0.7, 0.9)
    wider = until(page, lambda: kept(page) if kept(page) > brushed else 0)
    page.get_by_role("slider", name="CLIPScore threshold").focus()
    page.keyboard.press("PageUp")
    until(page, lambda: kept(page) < wider)
    snap(page, "curate-brush")
    page.get_by_role("slider", name="CLIPScore upper threshold").focus()
    page.keyboard.press("Delete")
    until(page, lambda: high.input_value() == "")
    assert low.input_value() != ""
    page.get_by_role("button", name="CLIPScore: no threshold").click()
    until(page, lambda: kept(page) == everything)


def test_percentiles_and_values_are_the_same_threshold(page: Any) -> None:
    everything = kept(page)
    page.get_by_label("Thresholds as").select_option("percentile")
    box = page.get_by_label("SSIM at least", exact=True)
    box.fill("50")
    box.press("Tab")
    half = until(page, lambda: kept(page) if kept(page) < 0.6 * everything else 0)
    assert abs(half - everything / 2) <= 0.02 * everything + 2
    until(page, lambda: box.input_value() == "50.0")
    page.get_by_label("Thresholds as").select_option("value")
    until(page, lambda: 0.8 < float(box.input_value()) < 1)
    assert "%ile" in page.locator("[data-column=ssim] .s-bound-min .s-other-unit").inner_text()


def test_a_typed_threshold_that_is_no_number_is_said_and_nothing_stops(page: Any) -> None:
    everything = kept(page)
    box = page.get_by_label("CLIPScore at least")
    box.fill("a lot")
    page.get_by_text("“a lot” is no number. No bound is set.").wait_for()
    assert box.get_attribute("aria-invalid") == "true" and kept(page) == everything
    box.press("Tab")
    assert box.input_value() == "a lot"
    box.fill("0,33")
    until(page, lambda: kept(page) < everything)
    assert not page.get_by_text("is no number").is_visible()


def test_a_filter_that_cannot_be_read_stays_and_the_app_goes_on(page: Any) -> None:
    everything = kept(page)
    field = page.get_by_label("Filter", exact=True)
    field.fill("ssim >= 0.9 and (clip_cosine > 0.3")
    field.press("Enter")
    page.get_by_text("the filter cannot be read").wait_for()
    snap(page, "curate-filter-error")
    assert field.input_value() == "ssim >= 0.9 and (clip_cosine > 0.3" and kept(page) == everything
    page.get_by_label("SSIM at least", exact=True).fill("0.92")
    some = until(page, lambda: kept(page) if kept(page) < everything else 0)
    assert page.get_by_text("the filter cannot be read").is_visible(), "until it is mended"
    field.fill("clip_cosine > 0.31 or not (length < 30 and verdict == keep)")
    field.press("Enter")
    until(page, lambda: "--where" in command(page) and "or not" in command(page))
    assert kept(page) <= some
    field.fill("cluster_of_mine > 3")
    field.press("Enter")
    page.get_by_text("cluster_of_mine").last.wait_for()
    field.fill("")
    field.press("Enter")
    until(page, lambda: "--where" not in command(page))


def test_examples_fill_the_filter_and_nothing_found_is_said(page: Any) -> None:
    page.get_by_text("How to write a filter").click()
    page.get_by_role("button", name=re.compile("^clip_cosine >= 0.25 and")).click()
    until(page, lambda: "--where" in command(page))
    field = page.get_by_label("Filter", exact=True)
    field.fill("clip_cosine > 5")
    field.press("Enter")
    page.get_by_text("Nothing passes this rule").wait_for()
    assert kept(page) == 0
    page.get_by_role("button", name="Show all candidates").click()
    until(page, lambda: page.locator(".s-tile").count() == 48)


def test_the_strip_shows_both_sides_of_the_cut(page: Any) -> None:
    page.get_by_text("At the cut: 20 on each side").click()
    page.get_by_label("Cut by").select_option("ssim")
    page.get_by_label("SSIM at least", exact=True).fill("0.9")
    above, below = (page.get_by_role("group", name=name) for name in ("Kept, nearest", "Dropped, next"))
    until(page, lambda: above.locator("button").count() == 20 and below.locator("button").count() == 20)
    until(page, lambda: "0.9" in page.locator(".s-strip .s-hint").inner_text())

    def numbers(side: Any) -> list[float]:
        return [float(text) for text in side.locator("span").all_inner_texts()]

    until(page, lambda: min(numbers(above)) >= 0.9 >= max(numbers(below)))
    assert numbers(above) == sorted(numbers(above)) and numbers(below) == sorted(numbers(below), reverse=True)
    snap(page, "curate-strip")
    below.locator("button").first.click()
    page.get_by_role("dialog", name="Candidate").wait_for()


def test_every_dataset_has_its_own_count(page: Any) -> None:
    page.locator("synth-curate").get_by_label("Dataset", exact=True).select_option("*")
    page.get_by_text("Each of 2 datasets").click()
    rows = page.locator(".s-datasets tbody tr")
    until(page, lambda: rows.count() == 2)
    counts = [[cell.inner_text() for cell in row.locator("td").all()] for row in rows.all()]
    assert {row[0] for row in counts} == {"million", "toys"}
    assert sum(whole(row[1]) for row in counts) == kept(page)
    assert ROWS - 5 + OF_TOYS <= sum(whole(row[2]) for row in counts) <= ROWS + OF_TOYS


def test_real_images_are_overlaid_and_scores_are_compared(page: Any) -> None:
    assert page.locator("[data-column=clip_cosine] .s-bars-real").get_attribute("d")
    page.locator(".s-statistics > summary").click()
    page.get_by_text("of the ranking's variance").first.wait_for()

    def shares() -> list[str]:
        return re.findall(r"(\d+) % of the ranking", page.locator(".s-statistics").inner_text())

    before = shares()
    page.get_by_label("Preset").select_option("normalised")
    until(page, lambda: shares() != before)
    cells = page.locator(".s-matrix tbody td").all_inner_texts()
    assert all(-1 <= float(text) <= 1 for text in cells if re.fullmatch(r"-?\d\.\d\d", text))
    page.get_by_label("Another score").select_option("sharpness")
    page.locator("[data-column=sharpness] .s-bars-all[d^=M]").wait_for()
    everything = kept(page)
    page.get_by_label("sharpness at least").fill("400")
    until(page, lambda: kept(page) < everything and "sharpness >= 400" in command(page))
    snap(page, "curate-statistics")


def test_the_seldom_rules_reach_the_command(page: Any) -> None:
    everything = kept(page)
    page.get_by_text("More rules").click()
    page.get_by_label("Best per caption").check()
    until(page, lambda: kept(page) <= ROWS // 4)
    page.get_by_label("Best per caption").uncheck()
    page.get_by_label("Skip the top").fill("7")
    until(page, lambda: kept(page) == everything - 7 and "--skip-top 7" in command(page))
    page.get_by_label("Skip the top").fill("")
    page.get_by_label("Near-duplicates").select_option("embedding")
    page.get_by_label("Cosine from which").fill("0.5")
    until(page, lambda: kept(page) < everything and "duplicate" in command(page))
    page.get_by_label("Near-duplicates").select_option("")
    page.get_by_label("How many to keep").fill("50")
    until(page, lambda: kept(page) == 50)
    best = page.locator(".s-tile").first.get_attribute("data-id")
    page.get_by_label("Random baseline").check()
    page.get_by_label("Seed", exact=True).fill("3")
    until(page, lambda: "--random --seed 3" in command(page) and shown(page) == 50)
    assert page.locator(".s-tile").first.get_attribute("data-id") != best
