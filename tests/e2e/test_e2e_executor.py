"""Where a generation runs, chosen in the Generate tab: what is shown, what may be started, and a run under Ray."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from served_app import WORK_LIMIT_MS, ServedApp, no_sideways_scrolling, snap, until


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve(lambda studio: studio.captions.load_sample())


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["wide-light", "phone-dark"])
def test_slurm_shows_its_line_and_starts_nothing(app: ServedApp, visit: Any, phone: bool, dark: bool) -> None:
    page = visit(app, phone=phone, dark=dark).open("Generate")
    page.get_by_label("A dataset").check()
    command = page.locator("synth-generate").get_by_label("Equivalent command line").first
    start = page.get_by_role("button", name="Generate", exact=True)
    until(page, lambda: start.is_enabled())
    page.get_by_label("Run on").select_option("Slurm array")
    page.get_by_label("Tasks").fill("16")
    until(page, lambda: command.inner_text().endswith("--show-slurm 16 | sbatch"))
    assert start.is_disabled()
    page.get_by_text("The script that sbatch gets").click()
    assert "#SBATCH --array=1-16" in page.get_by_label("Slurm script").inner_text()
    assert no_sideways_scrolling(page)
    snap(page, f"executor-slurm-{'phone' if phone else 'wide'}-{'dark' if dark else 'light'}")
    page.get_by_label("Run on").select_option("This machine")
    until(page, lambda: start.is_enabled() and "slurm" not in command.inner_text())
    assert page.get_by_text("The script that sbatch gets").is_hidden()


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the optional package ray")
def test_a_run_under_ray_is_started_and_followed(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Generate")
    page.get_by_label("A dataset").check()
    page.get_by_label("Captions at most").fill("2")
    page.get_by_label("Images per caption").fill("1")
    page.get_by_label("Steps", exact=True).fill("2")
    page.get_by_label("Run on").select_option("Ray")
    page.get_by_label("Workers").fill("1")
    command = page.locator("synth-generate").get_by_label("Equivalent command line").first
    until(page, lambda: "--executor ray --ray-workers 1" in command.inner_text())
    snap(page, "executor-ray-wide-light")
    page.get_by_role("button", name="Generate", exact=True).click()
    until(page, lambda: [job for job in app.ask("state")["jobs"] if job["state"] == "done"] or app.gone_wrong(),
          limit_ms=WORK_LIMIT_MS)
    assert app.gone_wrong() == []
    page.get_by_role("region", name="Images").get_by_role("button", name="Look at them in Curate").wait_for()
    datasets = {one["name"]: one for one in app.ask("state")["summary"]["datasets"]}
    assert datasets["sample"]["candidates"] == 2
