"""Curating captions in a browser: rules, limits, examples with marks, bringing a caption back, and drawing the kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served_app import ServedApp, no_sideways_scrolling, open_room, snap, until

from synthvlm_ui.service import Studio

pytestmark = pytest.mark.e2e

CAPTIONS = [
    "Christmas scene featuring a deer among fir trees and twinkling lights.",
    '2017 Jaguar XK Coupe - "Unleash the Power: 5.0L V8, 510 HP!"',
    '"Adjusting Vanity Faucet: Turn clockwise to increase flow, counterclockwise to decrease."',
    "A computer screen showing the google search page.",
    "Sure, here is a caption: <img src=x onerror=alert(1)> a red fox",
    "a red fox in the snow beside two green trees and a house",
]
PANEL = "synth-caption-rules"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApp]:
    workspace = tmp_path_factory.mktemp("captions") / "workspace"
    studio = Studio.open(workspace)
    studio.captions.import_texts("\n".join(CAPTIONS), "words")
    studio.close()
    served = ServedApp(workspace)
    yield served
    served.end()


@pytest.fixture
def page(app: ServedApp, visit: Callable[..., Any]) -> Any:
    opened = visit(app).open()
    open_room(opened, "Captions")
    opened.locator(f"{PANEL} .s-steps-table tbody tr").first.wait_for()
    return opened


def kept(page: Any) -> int:
    return int(page.locator(f"{PANEL} .s-curation-kept b").inner_text())


def example(page: Any, words: str) -> Any:
    return page.locator(f"{PANEL} .s-example", has_text=words)


def test_rules_examples_and_bringing_back(page: Any, app: ServedApp) -> None:
    until(page, lambda: kept(page) == 2)
    drawn = "getComputedStyle(document.querySelector('.s-rule-switch input:checked')).appearance"
    assert page.evaluate(drawn) == "auto", "the browser draws the tick; the theme's is white on nothing"
    assert "Not curated yet" in page.locator(PANEL).inner_text()
    assert [mark.inner_text() for mark in example(page, "Vanity").locator("mark").all()] == ["clockwise to "] * 2
    assert page.locator("img[src=x]").count() == 0
    page.get_by_role("button", name="plain keeps 4").click()
    until(page, lambda: kept(page) == 4)
    page.locator("[data-rule=prompt_echo] input[type=checkbox]").check()
    until(page, lambda: kept(page) == 3)
    page.get_by_role("button", name="Examples of Prompt echo").click()
    until(page, lambda: page.locator(f"{PANEL} .s-example").count() == 1)
    assert example(page, "onerror").locator("mark").first.inner_text() == "Sure, here"
    page.get_by_role("button", name="Curate", exact=True).click()
    page.get_by_text("3 of 6 captions kept (50 %)").wait_for()
    command = page.locator(f"{PANEL} synth-command code").inner_text()
    assert "captions curate --dataset words --preset plain --set prompt_echo.max=0" in command
    snap(page, "captions-curate")
    example(page, "onerror").get_by_role("button", name="Keep").click()
    page.get_by_text("4 of 6 captions kept (67 %) · 1 kept and 0 rejected by hand").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Keep"
    page.reload()
    page.get_by_text("4 of 6 captions kept (67 %) · 1 kept").wait_for()
    page.get_by_label("Which captions to show").select_option("by_hand")
    until(page, lambda: page.locator(f"{PANEL} .s-example").count() == 1)
    example(page, "onerror").get_by_role("button", name="Keep").click()
    page.get_by_text("3 of 6 captions kept (50 %)").wait_for()


def test_a_limit_is_typed_and_calibrated(page: Any) -> None:
    page.get_by_role("button", name="synthvlm keeps").click()
    until(page, lambda: kept(page) == 2)
    row = page.locator("[data-rule=special_characters]")
    row.locator("summary").click(position={"x": 200, "y": 12})
    row.get_by_label("Special characters at least").fill("0.1")
    until(page, lambda: kept(page) == 4)
    assert "≥ 0.1" in row.locator(".s-rule-limits").inner_text()
    page.get_by_label("Lower percentile").fill("20")
    page.get_by_role("button", name="Calibrate").click()
    until(page, lambda: row.locator(".s-rule-limits").inner_text() != "≥ 0.1, ≤ 0.4202")
    assert "special_characters.min=" in page.locator(f"{PANEL} synth-command code").inner_text()


def test_generation_says_what_curation_leaves_out(page: Any, app: ServedApp) -> None:
    page.get_by_role("button", name="plain keeps 4").click()
    until(page, lambda: kept(page) == 4)
    page.get_by_role("button", name="Curate", exact=True).click()
    page.get_by_text("4 of 6 captions kept").wait_for()
    open_room(page, "Generate")
    page.get_by_label("A dataset").check(force=True)
    option = page.get_by_label("Draw the 2 captions too that curation leaves out")
    option.wait_for()
    until(page, lambda: page.locator(".s-estimate").inner_text().startswith("12 images"))
    option.check()
    until(page, lambda: page.locator(".s-estimate").inner_text().startswith("18 images"))
    assert "--captions all" in page.locator("synth-generate synth-command code").inner_text()


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(app: ServedApp, visit: Callable[..., Any], dark: bool) -> None:
    page = visit(app, phone=True, dark=dark).open()
    open_room(page, "Captions")
    page.locator(f"{PANEL} .s-example").first.wait_for()
    for rule in ("special_characters", "difficulty", "perplexity"):
        page.locator(f"[data-rule={rule}] summary").tap(position={"x": 8, "y": 12})
    assert no_sideways_scrolling(page)
    snap(page, f"phone-{'dark' if dark else 'light'}-captions-curate")


def test_the_workspace_keeps_every_caption(app: ServedApp) -> None:
    studio = Studio.open(Path(app.workspace), read_only=True)
    try:
        assert [row.caption for row in studio.workspace.captions.load("words")] == CAPTIONS
        assert json.dumps(studio.caption_curation.report("words"))
    finally:
        studio.close()
