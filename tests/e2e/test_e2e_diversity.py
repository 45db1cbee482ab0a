"""Diversity in a real browser: measuring, the plots, a bar that opens Curate, the map's lasso, narrow and dark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until
from small_workspace import fill

from synthvlm_ui.config import SAMPLE

CAPTIONS = [json.loads(line)["caption"] for line in (SAMPLE / "captions.jsonl").read_text().splitlines()[:60]]


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    def prepare(studio: Any) -> None:
        fill(studio, "toys", CAPTIONS, 2)
        fill(studio, "others", CAPTIONS[:30], 1)
        studio.curation.select("best", studio.curation.rule(dataset="toys", top_k=30, guards=False))

    return serve(prepare)


def measured(page: Any, app: ServedApp) -> Any:
    """The page with a run, made through the form when there is none."""
    if not app.ask("diversity/choices")["runs"]:
        page.get_by_label("best").check()
        page.get_by_label("what selections drop").check()
        page.get_by_label("elbow, K from 2 to 40").check()
        page.get_by_label("Clusters K").fill("8")
        until(page, lambda: "--selections best" in page.locator("synth-diversity synth-command code").inner_text())
        page.get_by_role("button", name="Measure diversity").click()
    page.locator(".s-div-table tbody tr").first.wait_for(timeout=240_000)
    page.locator(".s-div-results .js-plotly-plot .bars path").first.wait_for()
    assert app.gone_wrong() == []
    return page


def test_measuring_shows_every_set_and_a_bar_opens_curate(app: ServedApp, visit: Any) -> None:
    page = measured(visit(app).open("Diversity"), app)
    names = page.locator(".s-div-table tbody th").all_text_contents()
    assert names == ["others", "toys", "best", "best (dropped)"]
    run = app.ask("diversity/choices")["runs"][0]["run"]
    report = app.ask(f"diversity/run/{run}")
    assert page.locator(".s-div-table tbody tr").nth(1).locator("td").nth(3).inner_text() \
        == f"{report['datasets']['toys']['entropy_bits']:.2f} bit"
    until(page, lambda: page.get_by_text("knee: K =").count())
    snap(page, "diversity")
    members = report["datasets"]["others"]["cluster_sizes"][0]
    bar = page.locator(".s-div-results .js-plotly-plot").first.locator(".trace.bars").first.locator(".point path").first
    bar.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = bar.bounding_box()
    # The plot finds what is under the pointer when it moves, some time before the click.
    for up in (8, 5):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - up)
        page.wait_for_timeout(400)
    page.mouse.down()
    page.mouse.up()
    page.locator(".s-tile").first.wait_for()
    until(page, lambda: page.locator(".s-count b").first.inner_text() == str(members))


def test_a_lasso_becomes_a_selection(app: ServedApp, visit: Any) -> None:
    page = measured(visit(app).open("Diversity"), app)
    if page.get_by_role("button", name="Draw the map").is_visible():
        page.get_by_role("button", name="Draw the map").click()
    canvas = page.locator(".s-map-canvas")
    canvas.wait_for(timeout=120_000)
    for name in ("others", "best", "best (dropped)"):
        page.locator(".s-div-legend").get_by_label(name, exact=True).uncheck()
    page.get_by_text("Lasso", exact=True).click()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    left, top, right, bottom = (box["x"] + 4, box["y"] + 4, box["x"] + box["width"] / 2, box["y"] + box["height"] - 4)
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    status = page.locator(".s-div-map > .s-hint")
    until(page, lambda: " of 210 " in status.inner_text())
    chosen = int(status.inner_text().split()[0])
    assert 0 < chosen < 60 and page.locator(".s-map-item").count() == min(24, chosen)
    snap(page, "diversity-lasso")
    page.get_by_label("Name", exact=True).last.fill("left-half")
    page.get_by_role("button", name="Save as selection").click()
    page.get_by_text("Selection “left-half” saved").wait_for()
    saved = {each["name"]: each for each in app.ask("selections")["selections"]}
    assert saved["left-half"]["kept"] == 2 * chosen, "two candidates stand behind each caption"


def test_keys_move_and_select_on_the_map(app: ServedApp, visit: Any) -> None:
    page = measured(visit(app).open("Diversity"), app)
    if page.get_by_role("button", name="Draw the map").is_visible():
        page.get_by_role("button", name="Draw the map").click()
    page.locator(".s-map-canvas").wait_for(timeout=120_000)
    page.locator(".s-map-canvas").focus()
    for key in ("+", "+", "ArrowRight", "0"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Select what is visible").click()
    status = page.locator(".s-div-map > .s-hint")
    until(page, lambda: " of 210 " in status.inner_text())
    page.locator(".s-map-canvas").press("Escape")
    until(page, lambda: "210 points" in status.inner_text())


@pytest.mark.parametrize(("phone", "dark"), [(True, False), (False, True), (True, True)])
def test_it_is_readable_narrow_and_dark(app: ServedApp, visit: Any, phone: bool, dark: bool) -> None:
    page = visit(app, phone=phone, dark=dark).page
    page.goto(app.address + "#diversity")  # a link opens the tab, which a phone keeps in the menu of tabs
    measured(page, app)
    until(page, lambda: page.locator(".js-plotly-plot .main-svg").count() >= 3)
    assert no_sideways_scrolling(page)
    snap(page, f"diversity-{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}")


def test_what_cannot_be_measured_is_said_in_place(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Diversity")
    page.get_by_label("Embeddings by").fill("nonsense")
    page.get_by_role("button", name="Measure diversity").click()
    page.get_by_text("unknown caption embedder 'nonsense'").wait_for()
    open_room(page, "Curate")
