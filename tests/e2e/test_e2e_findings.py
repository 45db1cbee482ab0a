"""The findings in a real browser: the table that ships, a run from the page, and its stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served_app import ServedApp, no_sideways_scrolling, snap, until

WORK_MS = 180_000


@pytest.fixture(scope="module")
def app(serve: Any) -> Iterator[ServedApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield serve(lambda studio: None)


def test_the_shipped_table_is_shown_and_a_run_starts_and_stops(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Findings")
    cards = page.locator(".s-claim")
    until(page, lambda: cards.count() == 9)
    shown = {entry["id"]: entry for entry in app.ask("findings/table")["findings"]}
    for finding, entry in shown.items():
        verdict = {True: "holds", False: "does not hold", None: "not measured"}[entry["holds"]]
        assert page.locator(f"[data-finding='{finding}'] .s-claim-verdict").inner_text() == verdict
    assert "come with the app" in page.locator(".s-claim-source").inner_text()
    page.locator("[data-finding='5'] summary").click()
    assert page.locator("[data-finding='5'] tbody tr").count() == len(shown["5"]["rows"])
    snap(page, "findings")

    page.get_by_label("A quick look").check()
    assert "findings --quick" in page.locator("synth-findings synth-command code").inner_text()
    page.get_by_role("button", name="Run the claims here").click()
    doing = page.locator(".s-claim-working")
    until(page, lambda: "images of real" in doing.inner_text() or "part that looks" in doing.inner_text(), WORK_MS)
    assert page.get_by_role("button", name="Run the claims here").is_disabled()
    doing.get_by_role("button", name="Stop").click()
    until(page, lambda: app.ask("state")["jobs"][0]["state"] == "stopped", WORK_MS)
    until(page, doing.is_hidden)


def test_the_findings_fit_a_phone(app: ServedApp, visit: Any) -> None:
    page = visit(app, phone=True, dark=True).open("Findings")
    until(page, lambda: page.locator(".s-claim").count() == 9)
    no_sideways_scrolling(page)
    snap(page, "findings-phone")
