"""An empty workspace offers the demo; it runs as a job that outlives the page; and pages that must refuse, refuse."""

from __future__ import annotations

import time
from typing import Any

import pytest
from served_app import ROUTES, WORK_LIMIT_MS, ServedApp, no_sideways_scrolling, open_room, snap, until
from small_workspace import CAPTIONS, fill

FIRST_PAGE_LIMIT_S = 30


def test_the_demo_runs_is_reloaded_stopped_and_resumed(serve: Any, visit: Any) -> None:
    app: ServedApp = serve()
    watched = visit(app)
    page = watched.open()
    button = page.get_by_role("button", name="Make the demo")
    button.wait_for()
    first_page_s = time.monotonic() - app.started
    assert first_page_s < FIRST_PAGE_LIMIT_S, "generous: the machine that tests may be busy"
    snap(page, "welcome")
    button.click()
    tiles = page.locator("synth-welcome .s-live-tile")
    until(page, lambda: tiles.count() or app.gone_wrong(), WORK_LIMIT_MS)
    assert app.gone_wrong() == []
    assert page.locator("synth-welcome [role=progressbar]").get_attribute("aria-valuenow") is not None
    snap(page, "demo-running")
    open_room(page, "Captions")
    page.locator(".s-caption").first.wait_for()
    seen, before = tiles.count(), app.ask("state")["jobs"][0]
    page.reload()
    until(page, lambda: tiles.count() >= seen, WORK_LIMIT_MS)
    after = app.ask("state")["jobs"][0]
    assert after["id"] == before["id"] and after["done"] >= before["done"] and after["total"] == before["total"]
    shown = int(page.locator("synth-welcome [role=progressbar]").get_attribute("aria-valuenow"))
    assert shown >= int(100 * before["progress"])
    stop_and_resume(page, app)


def stop_and_resume(page: Any, app: ServedApp) -> None:
    page.get_by_role("button", name="Jobs").click()
    drawer = page.get_by_role("dialog", name="Jobs")
    drawer.get_by_role("button", name="Stop").click()
    until(page, lambda: app.ask("state")["jobs"][0]["state"] == "stopped", WORK_LIMIT_MS)
    drawer.get_by_role("button", name="Resume").wait_for()
    drawer.get_by_text("Log and settings").click()
    until(page, lambda: "miniature" in drawer.locator(".s-log").inner_text())
    snap(page, "jobs-drawer")
    drawer.get_by_role("button", name="Resume").click()
    until(page, lambda: app.ask("state")["jobs"][0]["state"] in ("running", "queued"))
    drawer.get_by_role("button", name="Stop").click()
    until(page, lambda: app.ask("state")["jobs"][0]["state"] == "stopped", WORK_LIMIT_MS)


def test_a_finished_demo_goes_when_a_room_is_opened(serve: Any, visit: Any) -> None:
    app = serve(lambda studio: fill(studio, "sample", CAPTIONS, 2))
    page = visit(app).open("Captions")
    job = page.evaluate("""(address) => fetch(address, {method: 'POST', headers: {'content-type': 'application/json'},
        body: JSON.stringify({prompt: 'a red star', settings: {images_per_caption: 1, num_inference_steps: 2}})})
        .then((answer) => answer.json())""", app.address + ROUTES + "generate")["job_id"]
    page.evaluate("(job) => localStorage.setItem('synthvlm.demo_job', job)", job)
    page.reload()
    welcome = page.locator("synth-welcome")
    welcome.get_by_role("button", name="Look at them in Curate").wait_for(timeout=WORK_LIMIT_MS)
    open_room(page, "Curate")
    until(page, lambda: not welcome.is_visible())
    page.locator(".s-count b").first.wait_for()
    page.reload()
    page.locator("synth-workspace").get_by_text("candidates").wait_for()
    assert not welcome.is_visible()


def test_a_setting_that_cannot_be_is_told_before_and_after_the_start(serve: Any, visit: Any) -> None:
    app = serve()
    page = visit(app).open("Generate")
    page.get_by_label("Prompt", exact=True).fill("a red apple")
    page.get_by_label("Generator (name").fill("no-such-generator")
    page.get_by_label("Generator (name").press("Tab")
    page.locator(".s-estimate[data-kind=bad], .s-estimate:not(:empty)").wait_for()
    page.get_by_role("button", name="Generate", exact=True).click()
    page.locator(".s-toast.s-error").wait_for()
    assert "no-such-generator" in page.locator(".s-toast.s-error").inner_text()
    assert app.ask("state")["jobs"] == []
    assert app.ask("state")["summary"]["datasets"] == []


def test_empty_rooms_say_what_to_do(serve: Any, visit: Any) -> None:
    app = serve()
    page = visit(app).open("Curate")
    page.get_by_text("There is nothing to curate yet").wait_for()
    open_room(page, "Export")
    page.get_by_text("No selection yet").wait_for()
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_text("no selection is chosen").first.wait_for()
    open_room(page, "Captions")
    page.get_by_text("No captions yet").wait_for()


def test_read_only_shows_and_changes_nothing(serve: Any, visit: Any) -> None:
    app = serve(lambda studio: fill(studio, "toys", CAPTIONS, 2), "--read-only")
    page = visit(app).open("Curate")
    page.locator(".s-tile").first.focus()
    page.keyboard.press("r")
    page.locator(".s-toast.s-error").wait_for()
    assert page.get_by_role("button", name="Save selection").is_disabled()
    page.get_by_text("read-only").wait_for()
    assert app.ask("state")["summary"]["datasets"][0]["candidates"] == 2 * len(CAPTIONS)


def test_a_server_that_is_gone_is_said(serve: Any, visit: Any) -> None:
    app = serve(lambda studio: fill(studio, "toys", CAPTIONS, 2))
    watched = visit(app)
    page = watched.open("Curate")
    page.locator(".s-tile").first.wait_for()
    app.end()
    page.locator(".s-tile").first.focus()
    page.keyboard.press("k")
    page.get_by_text("The server does not answer").first.wait_for()
    watched.broken.clear()


@pytest.mark.parametrize("dark", [False, True])
def test_the_welcome_fits_a_phone(serve: Any, visit: Any, dark: bool) -> None:
    page = visit(serve(), phone=True, dark=dark).open()
    page.get_by_role("button", name="Make the demo").wait_for()
    assert no_sideways_scrolling(page)
    snap(page, f"phone-welcome-{'dark' if dark else 'light'}")
