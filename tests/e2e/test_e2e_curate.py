"""Curation in a real browser, on a workspace that is there already: thresholds, keys, pages, undo, markup, phone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from curate_page import show
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until
from small_workspace import MARKUP, fill

CAPTIONS = [f"a red cat and {n} blue stars" for n in range(19)] + [MARKUP]
ALL = 3 * len(CAPTIONS)


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve(lambda studio: fill(studio, "toys", CAPTIONS, 3))


@pytest.fixture
def page(app: ServedApp, visit: Any) -> Any:
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.wait_for()
    return page


def number(page: Any) -> int:
    """How many candidates the page says are kept."""
    return int(page.locator(".s-count b").first.inner_text().replace(",", ""))


def captions_of(page: Any) -> list[str]:
    return page.locator(".s-tile-caption").all_text_contents()


def command_of(page: Any) -> str:
    return page.locator("synth-curate synth-command code").inner_text()


def settled(page: Any, wanted: int) -> None:
    until(page, lambda: number(page) == wanted)


def test_a_threshold_by_slider_number_and_drag_changes_what_is_kept(page: Any, app: ServedApp) -> None:
    assert number(page) == ALL
    slider = page.get_by_label("CLIPScore threshold")
    slider.focus()
    for _ in range(2):
        page.keyboard.press("PageUp")
    after_keys = until(page, lambda: number(page) if number(page) < ALL else 0)
    box = page.get_by_label("CLIPScore at least")
    box.fill("0.25")
    half = until(page, lambda: number(page) if number(page) < after_keys else 0)
    assert abs(half - ALL / 2) <= 1
    plot = page.locator("[data-column=clip_cosine] .s-plot").bounding_box()
    page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 30)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.9, plot["y"] + 30, steps=12)
    page.mouse.up()
    dragged = until(page, lambda: number(page) if number(page) <= ALL * 0.12 else 0)
    assert 0 < dragged < half
    assert float(box.input_value()) == pytest.approx(0.1 + 0.9 * 0.3, abs=0.01)
    snap(page, "curate-threshold")
    page.get_by_role("button", name="CLIPScore: no threshold").click()
    settled(page, ALL)


def test_the_three_scales_show_the_same_threshold(page: Any) -> None:
    box = page.get_by_label("CLIPScore at least")
    box.fill("0.2")
    kept = until(page, lambda: number(page) if number(page) < ALL else 0)
    page.get_by_label("CLIPScore as").last.select_option("x100")
    until(page, lambda: box.input_value() == "20.00")
    page.get_by_label("CLIPScore as").last.select_option("x2.5")
    until(page, lambda: box.input_value() == "0.5000")
    assert number(page) == kept
    page.get_by_label("CLIPScore as").last.select_option("cosine")


def test_lambda_moves_the_combined_histogram(page: Any) -> None:
    path = page.locator("[data-column=combined] .s-bars-all")
    before = path.get_attribute("d")
    page.get_by_label("λ, weight of SSIM").fill("1.7")
    until(page, lambda: path.get_attribute("d") != before)
    until(page, lambda: "--lambda 1.7" in command_of(page))
    page.get_by_label("CLIPScore + λ·SSIM at least").fill("9")
    settled(page, 0)
    page.get_by_label("Show", exact=True).select_option("kept")
    page.get_by_text("Nothing passes this rule").wait_for()
    page.get_by_role("button", name="Reset the rule").click()
    settled(page, ALL)


def test_best_per_caption_top_k_and_keep_ratio(page: Any) -> None:
    page.get_by_label("Best per caption").check()
    settled(page, len(CAPTIONS))
    page.get_by_label("How many to keep").fill("7")
    settled(page, 7)
    page.get_by_label("Percent to keep").fill("25")
    until(page, lambda: number(page) not in (7, len(CAPTIONS), ALL))
    assert number(page) <= ALL // 4
    page.get_by_role("button", name="Reset the rule").click()
    settled(page, ALL)


def test_keys_decide_move_and_undo(page: Any, app: ServedApp) -> None:
    show(page, "all")
    tiles = page.locator(".s-tile")
    tiles.first.focus()
    page.keyboard.press("r")
    settled(page, ALL - 1)
    assert tiles.first.get_attribute("data-verdict") == "reject"
    assert tiles.first.locator(".s-mark").inner_text() == "✗"
    assert page.evaluate("document.activeElement.dataset.id") == tiles.nth(1).get_attribute("data-id")
    page.keyboard.press("k")
    until(page, lambda: tiles.nth(1).get_attribute("data-verdict") == "keep")
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.dataset.id") == tiles.first.get_attribute("data-id")
    page.keyboard.press("u")
    settled(page, ALL)
    page.keyboard.press("z")
    settled(page, ALL - 1)
    page.keyboard.press("Shift+Z")
    settled(page, ALL)
    for _ in range(3):
        page.keyboard.press("z")
    until(page, lambda: page.locator(".s-count b").nth(2).inner_text() == "✓ 0 ✗ 0")
    events = app.ask("events?limit=50")["events"]
    assert len(events) >= 5, "every act is in the journal"


def test_fast_keys_are_recorded_in_their_order(page: Any, app: ServedApp) -> None:
    before = len(app.ask("events?limit=200")["events"])
    page.locator(".s-tile").first.focus()
    keys = "krkruzkr"
    for key in keys:
        page.keyboard.press(key)
    kinds = until(page, lambda: recorded if len(recorded := kinds_of(app, before)) == len(keys) else [])
    assert kinds == ["keep", "reject", "keep", "reject", "clear", "undo", "keep", "reject"]
    for _ in keys:
        page.keyboard.press("z")
    until(page, lambda: page.locator(".s-count b").nth(2).inner_text() == "✓ 0 ✗ 0")


def kinds_of(app: ServedApp, before: int) -> list[str]:
    """What the journal holds since then, oldest first: the verdict, or undo."""
    events = list(reversed(app.ask("events?limit=200")["events"]))[before:]
    return [event["kind"] if event["kind"] in ("undo", "redo") else event["verdict"] for event in events]


def test_arrows_follow_the_columns_and_the_grid_is_one_tab_stop(page: Any) -> None:
    columns = page.evaluate("getComputedStyle(document.querySelector('.s-grid')).gridTemplateColumns.split(' ').length")
    assert columns > 2
    page.locator(".s-tile").first.focus()
    page.keyboard.press("ArrowDown")
    focused = "[...document.querySelectorAll('.s-tile')].indexOf(document.activeElement)"
    assert page.evaluate(focused) == columns
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == columns + 1
    page.keyboard.press("End")
    assert page.evaluate(focused) == page.locator(".s-tile").count() - 1
    assert page.locator(".s-tile[tabindex='0']").count() == 1
    assert page.locator(".s-grid [role=row]").count() == -(-page.locator(".s-tile").count() // columns)


def test_letters_typed_into_a_field_are_letters(page: Any) -> None:
    page.get_by_label("Name of the selection").fill("")
    page.get_by_label("Name of the selection").press_sequentially("kruz")
    assert page.get_by_label("Name of the selection").input_value() == "kruz"
    page.wait_for_timeout(400)
    assert page.locator(".s-tile[data-verdict=keep], .s-tile[data-verdict=reject]").count() == 0


def test_keys_can_be_read_and_switched_off(page: Any) -> None:
    page.locator(".s-tile").first.focus()
    page.keyboard.press("?")
    page.get_by_text("Single-letter keys are on").wait_for()
    snap(page, "curate-keys")
    page.get_by_label("Single-letter keys are on").uncheck()
    page.keyboard.press("Escape")
    page.locator(".s-tile").first.focus()
    page.keyboard.press("r")
    page.wait_for_timeout(500)
    assert number(page) == ALL


def test_pages_turn_by_key_and_button(page: Any) -> None:
    page.get_by_label("Per page").select_option("24")
    until(page, lambda: page.locator(".s-tile").count() == 24)
    first = page.locator(".s-tile").first.get_attribute("data-id")
    page.locator(".s-tile").first.focus()
    page.keyboard.press("PageDown")
    until(page, lambda: page.locator(".s-where").inner_text() == f"25–48 of {ALL}")
    assert page.locator(".s-tile").first.get_attribute("data-id") != first
    assert page.evaluate("document.activeElement.classList.contains('s-tile')"), "the keyboard stays in the grid"
    page.get_by_role("button", name="Next page").click()
    until(page, lambda: page.locator(".s-where").inner_text() == f"49–60 of {ALL}")
    assert page.get_by_role("button", name="Next page").is_disabled()


def test_the_detail_shows_every_fact_and_takes_verdicts(page: Any) -> None:
    page.locator(".s-tile").nth(3).click()
    dialog = page.get_by_role("dialog", name="Candidate")
    dialog.wait_for()
    until(page, lambda: "Scorer clip" in dialog.inner_text())  # the facts come after the picture
    facts = dialog.inner_text()
    for word in ("Seed", "Sampler", "Revision", "Guidance scale", "Scorer clip", "2.5 × cosine", "100 × cosine"):
        assert word in facts, word
    assert page.evaluate("getComputedStyle(document.querySelector('.s-whole')).imageRendering") == "pixelated"
    until(page, lambda: dialog.locator(".s-sibling").count() == 2)
    snap(page, "curate-detail")
    before = dialog.locator(".s-facts").inner_text()
    page.keyboard.press("ArrowRight")
    until(page, lambda: dialog.locator(".s-facts").inner_text() != before)
    page.keyboard.press("k")
    until(page, lambda: dialog.get_by_role("button", name="Keep").get_attribute("aria-pressed") == "true")
    page.keyboard.press("z")
    until(page, lambda: dialog.get_by_role("button", name="Keep").get_attribute("aria-pressed") == "false")
    page.keyboard.press("Escape")
    until(page, lambda: page.evaluate("document.activeElement.classList.contains('s-tile')"))


def test_markup_in_captions_is_text_everywhere(page: Any) -> None:
    page.get_by_label("Order").select_option("caption")
    until(page, lambda: captions_of(page)[0] == captions_of(page)[1] == captions_of(page)[2])
    page.get_by_label("Per page").select_option("96")
    until(page, lambda: page.locator(".s-tile").count() == ALL)
    tile = page.locator(".s-tile", has_text="onerror").first
    assert tile.locator(".s-tile-caption").text_content().startswith("<img src=x")
    tile.click()
    until(page, lambda: MARKUP in page.get_by_role("dialog", name="Candidate").inner_text())
    page.keyboard.press("Escape")
    open_room(page, "Captions")
    page.locator(".s-caption", has_text="onerror").wait_for()
    assert page.locator("img[src=x]").count() == 0
    open_room(page, "Generate")
    page.get_by_label("Prompt", exact=True).fill(MARKUP)
    page.locator(".s-unknown").wait_for()
    assert page.locator("img[src=x]").count() == 0


def test_thumbnails_are_decoded_sharp_and_come_from_the_store(page: Any) -> None:
    page.locator(".s-tile img[src]").first.wait_for()
    facts = page.evaluate("""async () => {
        const image = document.querySelector('.s-tile img');
        await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext('2d');
        canvas.drawImage(image, 0, 0);
        const data = canvas.getImageData(0, 0, image.naturalWidth, image.naturalHeight).data;
        return {width: image.naturalWidth, colours: new Set(new Uint32Array(data.buffer)).size,
                rendering: getComputedStyle(image).imageRendering};
    }""")
    assert facts["width"] == 64 and facts["colours"] > 1000 and facts["rendering"] == "pixelated"


def test_a_selection_is_saved_and_the_shown_command_is_the_rule(page: Any, app: ServedApp) -> None:
    page.get_by_label("SSIM at least", exact=True).fill("0.5")
    kept = until(page, lambda: number(page) if number(page) < ALL else 0)
    page.get_by_label("Name of the selection").fill("sharp")
    page.get_by_role("button", name="Save selection").click()
    page.get_by_text(re.compile("Selection “sharp” saved")).wait_for()
    saved = app.ask("selections")["selections"]
    assert [(one["name"], one["kept"]) for one in saved] == [("sharp", kept)]
    until(page, lambda: "select --dataset toys --name sharp" in command_of(page))
    assert "--ssim-min 0.5" in command_of(page)


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_never_scrolls_sideways(app: ServedApp, visit: Any, dark: bool) -> None:
    page = visit(app, phone=True, dark=dark).open()
    for room in ("Captions", "Generate", "Curate", "Export"):
        open_room(page, room)
        page.wait_for_timeout(500)
        assert no_sideways_scrolling(page), room
        snap(page, f"phone-{'dark' if dark else 'light'}-{room.lower()}")
    open_room(page, "Curate")
    page.locator(".s-side > summary").tap()
    page.get_by_label("CLIPScore at least").fill("0.3")
    until(page, lambda: number(page) < ALL)
    assert no_sideways_scrolling(page)


def test_reload_opens_the_same_room(page: Any) -> None:
    page.reload()
    page.locator(".s-tile").first.wait_for()
    assert page.get_by_role("tab", name="Curate").get_attribute("aria-selected") == "true"


def test_a_fast_drag_asks_for_less_than_it_moves(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("curate/view") else None)
    page.evaluate("""() => { const line = document.querySelector('[data-column=ssim] .s-line-min');
        for (let step = 0; step < 200; step += 1) {
            line.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
        } }""")
    until(page, lambda: number(page) < ALL)
    page.wait_for_timeout(500)
    assert 1 <= len(asked) <= 5
