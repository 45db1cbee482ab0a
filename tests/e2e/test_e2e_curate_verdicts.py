"""Decisions in a real browser: ranges, everything at once, undo, one's own keys, agreement, two people at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from curate_page import ROWS, by_hand, ids, kept, order, prepare, show, shown
from served_app import ServedApp, snap, until

# A page that is told nothing asks again after 20 s; what comes sooner was pushed. How soon: tests/benchmarks/curate.py
PUSHED_MS = 15_000


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve(prepare)


@pytest.fixture
def page(app: ServedApp, visit: Any) -> Any:
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.wait_for()
    show(page, "all")
    yield page
    take_everything_back(page, app)


def take_everything_back(page: Any, app: ServedApp) -> None:
    """Every test leaves the journal as a reader sees it: nothing decided."""
    page.evaluate("""(address) => fetch(address, {method: 'POST', body: JSON.stringify({verdict: 'clear',
        all: {rule: {dataset: 'million', guards: false}, show: 'all', order: 'combined'}}),
        headers: {'content-type': 'application/json', 'x-synthvlm-actor': 'cleaner'}})""",
        app.address + "gradio_api/synthvlm/verdict")


def verdicts(page: Any) -> list[str]:
    return [str(one) for one in page.evaluate(
        "[...document.querySelectorAll('.s-tile')].map((tile) => tile.dataset.verdict)")]


def test_shift_stretches_a_range_that_one_key_decides(page: Any) -> None:
    tiles = page.locator(".s-tile")
    tiles.nth(2).focus()
    tiles.nth(6).click(modifiers=["Shift"])
    assert page.locator(".s-tile[aria-selected=true]").count() == 5
    snap(page, "curate-range")
    page.keyboard.press("k")
    until(page, lambda: by_hand(page) == "✓ 5 ✗ 0")
    assert verdicts(page)[:8] == ["", "", *["keep"] * 5, ""]
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".s-tile[aria-selected=true]").count() == 3
    page.keyboard.press("Escape")
    assert page.locator(".s-tile[aria-selected=true]").count() == 0
    page.keyboard.press("z")
    until(page, lambda: by_hand(page) == "✓ 0 ✗ 0")


def test_a_range_goes_over_pages(page: Any) -> None:
    page.get_by_label("Per page").select_option("24")
    until(page, lambda: page.locator(".s-tile").count() == 24)
    page.locator(".s-tile").nth(22).focus()
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    until(page, lambda: page.locator(".s-where").inner_text().startswith("25–48"))
    until(page, lambda: page.locator(".s-tile[aria-selected=true]").count() == 1)
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".s-tile[aria-selected=true]").count() == 2
    page.keyboard.press("r")
    until(page, lambda: by_hand(page) == "✓ 0 ✗ 4")
    page.get_by_role("button", name="Undo", exact=True).click()
    until(page, lambda: by_hand(page) == "✓ 0 ✗ 0")


def test_everything_shown_is_asked_first_and_undone_as_one_act(page: Any, app: ServedApp) -> None:
    show(page, "undecided")
    total = shown(page)
    page.get_by_text(f"All {total:,} results").click()
    page.get_by_role("button", name="Reject all").click()
    dialog = page.get_by_role("dialog", name="Verdict for all results")
    assert f"Reject {total:,} candidates: shown as “Without verdict” in million" in dialog.inner_text()
    snap(page, "curate-bulk")
    dialog.get_by_role("button", name="Cancel").click()
    assert by_hand(page) == "✓ 0 ✗ 0"
    page.get_by_text(f"All {total:,} results").click()
    page.get_by_role("button", name="Reject all").click()
    dialog.get_by_role("button", name=f"Reject {total:,}").click()
    until(page, lambda: by_hand(page) == f"✓ 0 ✗ {total:,}")
    page.get_by_text("No candidate here").wait_for()
    page.get_by_role("button", name="Undo", exact=True).click()
    until(page, lambda: by_hand(page) == "✓ 0 ✗ 0" and shown(page) == total)
    page.get_by_role("button", name=re.compile(r"^Redo \(")).click()
    until(page, lambda: by_hand(page) == f"✓ 0 ✗ {total:,}")
    page.get_by_role("button", name=re.compile(r"^Undo \(")).click()
    until(page, lambda: by_hand(page) == "✓ 0 ✗ 0")
    assert app.ask("events?limit=1")["events"][0]["actor"].startswith("guest-")


def test_a_verdict_against_the_rule_says_so(page: Any) -> None:
    order(page, "-combined")
    page.get_by_label("CLIPScore at least").fill("0.3")
    until(page, lambda: kept(page) < ROWS * 0.8)
    page.locator(".s-tile.s-is-dropped").first.wait_for()
    page.locator(".s-tile").first.focus()
    page.keyboard.press("k")
    until(page, lambda: page.locator(".s-tile").first.locator(".s-over").is_visible())
    assert page.locator(".s-tile").first.locator(".s-over").inner_text() == "over rule"
    assert page.get_by_text("1 against the rule").is_visible()
    assert "against the rule" in page.locator(".s-tile").first.locator(".s-unseen").text_content()
    show(page, "overridden")
    until(page, lambda: shown(page) == 1)


def test_keys_are_bound_anew_and_stay(page: Any, app: ServedApp) -> None:
    page.locator(".s-tile").first.focus()
    page.keyboard.press("?")
    page.get_by_role("button", name="Change the key of “keep”").click()
    page.keyboard.press("1")
    page.get_by_role("button", name="Change the key of “reject”").click()
    page.keyboard.press("u")
    page.get_by_role("dialog", name="Keys").get_by_text("Changed places with “clear the verdict”").wait_for()
    snap(page, "curate-keys")
    page.keyboard.press("Escape")
    page.reload()
    tiles = page.locator(".s-tile")
    tiles.first.wait_for()
    tiles.first.focus()
    page.keyboard.press("k")
    page.keyboard.press("1")
    page.keyboard.press("u")
    until(page, lambda: by_hand(page) == "✓ 1 ✗ 1")
    page.keyboard.press("?")
    page.get_by_role("button", name="Reset the keys").click()
    assert page.get_by_role("button", name="Change the key of “keep”, now K").is_visible()


def test_verdicts_one_by_one_judge_the_thresholds(page: Any) -> None:
    page.locator(".s-judged > summary").click()
    order(page, "random")
    page.locator(".s-tile").first.focus()
    for place in range(30):
        score = page.locator(".s-tile").nth(place).locator(".s-numbers span").first.inner_text().split()[1]
        page.keyboard.press("k" if score != "–" and float(score) > 0.31 else "r")
    page.get_by_label("CLIPScore at least").fill("0.29")
    page.get_by_text(re.compile("30 verdicts one by one")).wait_for()
    intervals = page.locator(".s-interval")
    until(page, lambda: intervals.first.is_visible() and "95 % interval" in intervals.first.inner_text())
    share, low, high = (float(number) for number in re.findall(r"([\d.]+) %", intervals.first.inner_text())[:3])
    assert low < share < high
    snap(page, "curate-judged")
    before = kept(page)
    page.get_by_role("button", name="Set this cut").click()
    until(page, lambda: kept(page) != before)


def test_two_people_see_each_other_and_keep_their_own_view(page: Any, app: ServedApp, visit: Any) -> None:
    other = visit(app).open("Curate")
    other.locator(".s-tile").first.wait_for()
    other.get_by_role("button", name=re.compile("^you: ")).click()
    other.get_by_label("Name", exact=True).fill("Åsa")
    other.get_by_role("button", name="Use this name").click()
    show(other, "all")
    order(other, "ssim")
    wanted = ids(page)[3]
    other.evaluate("document.querySelector('.s-find input').focus()")
    other.get_by_label("Filter", exact=True).fill("ssim > 0")
    own_order = ids(other)
    page.locator(".s-tile").nth(3).focus()
    page.keyboard.press("k")
    until(page, lambda: by_hand(page).startswith("✓ 1"))
    until(other, lambda: by_hand(other).startswith("✓ 1"), PUSHED_MS)
    assert ids(other) == own_order, "each keeps their own view"
    other.locator(".s-tile").first.focus()
    other.keyboard.press("r")
    until(other, lambda: by_hand(other).endswith("✗ 1"))
    until(page, lambda: by_hand(page).endswith("✗ 1"), PUSHED_MS)
    until(page, lambda: page.locator(".s-others").inner_text() == "also here: Åsa")
    actors = [event["actor"] for event in app.ask("events?limit=2")["events"]]
    assert actors[0] == "Åsa" and actors[1].startswith("guest-")
    page.locator(f"[data-id='{wanted}']").click()
    until(page, lambda: "keep" in page.get_by_role("dialog", name="Candidate").locator(".s-history").inner_text())
    other.goto("about:blank")
    page.keyboard.press("Escape")
    until(page, lambda: page.locator(".s-others").text_content() == "")


def test_what_another_decides_under_the_pressed_hand_changes_not_what_was_meant(page: Any, app: ServedApp,
                                                                              visit: Any) -> None:
    show(page, "kept")
    meant, next_one = ids(page)[:2]
    other = visit(app).open("Curate")
    other.locator(".s-tile").first.wait_for()
    page.locator(".s-tile .s-picture").first.hover()
    page.mouse.down()
    other.locator(f"[data-id='{meant}']").focus()
    other.keyboard.press("r")
    until(page, lambda: ids(page)[0] == next_one, PUSHED_MS)
    page.mouse.up()
    page.get_by_role("dialog", name="Candidate").wait_for()
    until(page, lambda: f"id={meant}" in page.url)
    page.keyboard.press("Escape")
