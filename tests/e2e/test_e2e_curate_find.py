"""Finding candidates in a real browser: any rank, search, neighbours, saved views, links, and what is broken."""

from __future__ import annotations

import re
from typing import Any

import pytest
from curate_page import ROWS, ids, kept, prepare, show, shown
from served_app import ServedApp, no_sideways_scrolling, resize, snap, until

NEWS = re.compile(r"/curate/news\?")

@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve(prepare)


@pytest.fixture
def page(app: ServedApp, visit: Any) -> Any:
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.wait_for()
    return page


def test_every_rank_can_be_reached(page: Any) -> None:
    show(page, "all")
    total = shown(page)
    page.get_by_label("Go to rank").fill("123")
    page.get_by_label("Go to rank").press("Enter")
    until(page, lambda: page.evaluate("document.activeElement.querySelector?.('.s-rank')?.textContent") == "123")
    page.keyboard.press("Control+End")
    until(page, lambda: page.evaluate("document.activeElement.querySelector?.('.s-rank')?.textContent") == str(total))
    page.keyboard.press("Control+Home")
    until(page, lambda: page.evaluate("document.activeElement.querySelector?.('.s-rank')?.textContent") == "1")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    until(page, lambda: page.evaluate("document.activeElement.querySelector?.('.s-rank')?.textContent") == "49")
    page.get_by_label("Go to rank").fill("a million")
    page.get_by_label("Go to rank").press("Enter")
    page.get_by_text(f"“a million” is no rank from 1 to {total:,}").wait_for()
    page.get_by_role("slider", name="Page", exact=True).focus()
    page.keyboard.press("End")
    until(page, lambda: page.locator(".s-where").inner_text().endswith(f"{total:,} of {total:,}"))


def test_the_grid_is_stable_when_the_window_changes(page: Any) -> None:
    first = ids(page)
    page.locator(".s-tile").nth(7).focus()
    for width in (1600, 820, 390, 1280):
        resize(page, width, 900)
        until(page, lambda: page.locator(".s-grid [role=row]").count() == -(-len(first) // columns(page)))
        assert ids(page) == first
        assert no_sideways_scrolling(page), width
        assert page.evaluate("document.activeElement.dataset.id") == first[7]


def columns(page: Any) -> int:
    """How many tiles stand beside each other."""
    return int(page.evaluate(
        "getComputedStyle(document.querySelector('.s-grid')).gridTemplateColumns.split(' ').length"))


def test_the_opened_candidate_shows_its_kin(page: Any) -> None:
    show(page, "all")
    page.get_by_role("searchbox", name="Search").fill("number 3")
    until(page, lambda: 0 < shown(page) < ROWS // 2)
    page.locator(".s-tile").first.click()
    dialog = page.get_by_role("dialog", name="Candidate")
    dialog.wait_for()
    until(page, lambda: dialog.locator(".s-siblings").first.locator("button").count() == 3)
    until(page, lambda: page.evaluate("document.querySelector('.s-real img').naturalWidth") == 192)
    neighbours = dialog.locator(".s-siblings").nth(1).locator("button")
    until(page, lambda: neighbours.count() >= 8)
    similarities = [float(text) for text in neighbours.locator("small").all_inner_texts()]
    assert similarities == sorted(similarities, reverse=True) and 0 < similarities[0] <= 1
    snap(page, "curate-kin")
    resize(page, 390, 844)
    assert no_sideways_scrolling(page)
    resize(page, 1280, 900)
    dialog.get_by_role("button", name="More like this").click()
    page.locator(".s-like").wait_for()
    until(page, lambda: page.get_by_label("Order", exact=True).input_value() == "similarity")
    snap(page, "curate-similar")
    page.get_by_role("button", name="End “more like this”").click()
    until(page, lambda: page.get_by_label("Order", exact=True).input_value() == "combined")


def test_words_are_found_while_they_are_typed(page: Any) -> None:
    show(page, "all")
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("red")
    until(page, lambda: "captions" in page.locator(".s-find-note").inner_text() and shown(page) < ROWS)
    captions = page.locator(".s-tile-caption")
    until(page, lambda: (found := captions.all_text_contents()) and all("red" in caption for caption in found))
    search.fill("no such thing at all")
    page.get_by_text("Nothing is found here").wait_for()
    search.fill("")
    until(page, lambda: shown(page) > ROWS - 20)


def test_a_link_reopens_exactly_this_view_and_back_goes_back(page: Any, visit: Any, app: ServedApp) -> None:
    page.get_by_label("SSIM at least", exact=True).fill("0.9")
    page.get_by_label("SSIM at most", exact=True).fill("0.97")
    page.get_by_label("Per page").select_option("24")
    page.get_by_label("Order", exact=True).select_option("-ssim")
    until(page, lambda: "order=-ssim" in page.url and "limit=24" in page.url)
    page.get_by_role("button", name="Next page").click()
    until(page, lambda: "offset=24" in page.url)
    view, count = ids(page), kept(page)
    again = visit(app).page
    again.goto(page.url)
    again.locator(".s-tile").first.wait_for()
    until(again, lambda: ids(again) == view)
    assert kept(again) == count
    assert again.get_by_label("SSIM at most", exact=True).input_value().startswith("0.97")
    page.get_by_label("Order", exact=True).select_option("caption")
    until(page, lambda: "order=caption" in page.url)
    page.go_back()
    until(page, lambda: page.get_by_label("Order", exact=True).input_value() == "-ssim" and ids(page) == view)
    page.go_forward()
    until(page, lambda: page.get_by_label("Order", exact=True).input_value() == "caption")
    page.locator(".s-tile").nth(2).click()
    page.get_by_role("dialog", name="Candidate").wait_for()
    until(page, lambda: "id=" in page.url)
    again.goto("about:blank")
    again.goto(page.url)
    again.get_by_role("dialog", name="Candidate").wait_for()


def test_a_link_that_makes_no_sense_is_said(visit: Any, app: ServedApp) -> None:
    page = visit(app).page
    page.goto(app.address + "#curate?dataset=million&clip_min=much&order=upwards")
    page.locator(".s-toast.s-error").wait_for()
    page.locator(".s-tile").first.wait_for()


def test_views_are_saved_opened_and_deleted(page: Any) -> None:
    page.get_by_label("CLIPScore at least").fill("0.33")
    until(page, lambda: "clip_min=0.33" in page.url)
    count = kept(page)
    page.get_by_role("button", name="Save view").first.click()
    page.get_by_label("Save the present view as").fill("sure ones")
    page.get_by_role("dialog", name="Saved views").get_by_role("button", name="Save view").click()
    page.get_by_text("View “sure ones” saved").wait_for()
    page.get_by_role("button", name="Reset the rule").click()
    until(page, lambda: kept(page) > count)
    page.get_by_label("Saved views", exact=True).first.select_option("sure ones")
    until(page, lambda: kept(page) == count)
    page.get_by_role("button", name="Save view").first.click()
    page.get_by_role("button", name="Delete the view sure ones").click()
    until(page, lambda: page.locator(".s-view-list li").count() == 0)
    page.keyboard.press("Escape")


def test_broken_things_are_said_and_the_app_goes_on(visit: Any, app: ServedApp) -> None:
    visitor = visit(app)
    # No news for now: the candidate must still stand in the grid when it is opened.
    visitor.page.route(NEWS, lambda route: route.abort())
    page = visitor.open("Curate")
    page.locator(".s-tile").first.wait_for()
    show(page, "failed")
    assert page.locator(".s-dropped", has_text="failed").first.is_visible()
    show(page, "all")
    page.get_by_label("Order", exact=True).select_option("clip_cosine")
    page.locator(".s-tile").first.focus()
    page.keyboard.press("Control+End")
    page.locator(".s-tile", has_text="CLIP –").last.wait_for()
    page.get_by_label("Order", exact=True).select_option("combined")
    until(page, lambda: page.locator(".s-where").inner_text().startswith("1–48"))
    victim = ids(page)[0]
    shard = app.ask(f"candidate/{victim}")["shard"]
    for room in ("shards", "thumbnails"):
        (app.workspace / room / f"{shard}.tar").unlink()
    page.locator(f"[data-id='{victim}']").click()
    dialog = page.get_by_role("dialog", name="Candidate")
    dialog.locator(".s-notice", has_text=re.compile("shard|read|missing")).first.wait_for()
    snap(page, "curate-broken")
    page.keyboard.press("Escape")
    page.unroute(NEWS)
    until(page, lambda: victim not in ids(page))  # the page hears of it by itself
    show(page, "failed")
    until(page, lambda: shown(page) >= 90)
    assert page.locator(".s-dropped", has_text="failed").count() > 10
    show(page, "all")
    everything = kept(page)
    page.get_by_label("CLIPScore at least").fill("0.3")
    until(page, lambda: "clip_min" in page.url and kept(page) < everything)


@pytest.mark.slow
def test_a_sentence_finds_pictures(page: Any) -> None:
    page.get_by_label("Search by").select_option("meaning")
    page.get_by_role("searchbox", name="Search").fill("a red cat near the beach")
    page.get_by_role("searchbox", name="Search").press("Enter")
    until(page, lambda: page.get_by_label("Order", exact=True).input_value() == "similarity", 120_000)
    until(page, lambda: "by clip" in page.locator(".s-find-note").inner_text())
