"""Every tab for people who cannot see colours well, use no mouse, or hold a phone: axe-core, focus, width, targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until
from small_workspace import CAPTIONS, fill

TABS = ("Captions", "Generate", "Curate", "Compare", "Diversity", "Export", "Train")
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (tags) => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) =>
    `${one.id}: ${one.help}: ${one.nodes.slice(0, 4).map((node) => node.target.join(" ")
      + " | " + (node.any[0]?.message ?? "")).join(" ; ")} (${one.nodes.length})`);
}"""
# What can be used by mouse and lies outside the order of the Tab key, unless its group has one stop and arrow keys.
GROUPS = ", ".join([*(f"[role={role}]" for role in ("grid", "tablist", "listbox", "radiogroup", "toolbar")),
                    "[aria-hidden=true]", "[inert]"])
UNREACHABLE = """(groups) =>
  [...document.querySelectorAll("button, input, select, textarea, a[href], summary, [role=button]")]
  .filter((one) => one.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && !one.disabled
    && one.tabIndex < 0 && !one.closest(groups))
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def app(serve: Callable[..., ServedApp]) -> ServedApp:
    def prepare(studio: Any) -> None:
        fill(studio, "small", CAPTIONS, 8)
        studio.curation.select("best", studio.curation.rule("small"))

    return serve(prepare)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_any_tab(app: ServedApp, visit: Any, dark: bool) -> None:
    page = visit(app, dark=dark).open()
    page.evaluate(AXE)
    serious = {}
    for tab in TABS:
        open_room(page, tab)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        if tab == "Curate":
            page.locator(".s-tile").first.wait_for()
        if found := page.evaluate(RUN, TAGS):
            serious[tab] = found
        snap(page, f"access-{tab.lower()}-{'dark' if dark else 'light'}")
    assert not serious, "\n".join(f"{tab}: {one}" for tab, found in serious.items() for one in found)


def test_everything_is_reached_by_the_tab_key(app: ServedApp, visit: Any) -> None:
    page = visit(app).open()
    unreachable = {}
    for tab in TABS:
        open_room(page, tab)
        page.wait_for_load_state("networkidle")
        if found := page.evaluate(UNREACHABLE, GROUPS):
            unreachable[tab] = found
    assert not unreachable


def test_a_phone_never_scrolls_sideways(app: ServedApp, visit: Any) -> None:
    page = visit(app, phone=True).open()
    for tab in TABS:
        open_room(page, tab)
        page.wait_for_load_state("networkidle")
        until(page, lambda: no_sideways_scrolling(page))
        snap(page, f"access-{tab.lower()}-phone")


def test_verdicts_and_jobs_are_announced(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.wait_for()
    page.locator(".s-tile").first.focus()
    page.keyboard.press("k")
    live = page.locator("[aria-live], [role=status], [role=alert], [role=log]")
    until(page, lambda: any("kept" in (text or "").lower() for text in live.all_text_contents()))
