"""Texts that try to be markup, scripts or templates, on every way into the app and every place that shows them.

A payload that ran would set ``window.harm``; pages that open a dialog, raise or ask another machine fail by themselves.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served_app import ServedApp, open_room, paste, until
from small_workspace import fill

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

from fake_server import fake_server  # noqa: E402

from synthvlm_ui.service.captions.writing_desk import WritingSettings  # noqa: E402

PAYLOADS = [
    '<img src=x onerror="window.harm=1">', "${window.harm=2}", "{{window.harm=3}}", "<script>window.harm=4</script>",
    '"><svg onload=window.harm=5>', "`${window.harm=6}`", "</script><script>window.harm=7</script>",
    "{{#each this}}{{constructor.constructor('window.harm=8')()}}{{/each}}", "' onmouseover='window.harm=9",
    "[click](javascript:window.harm=10)", "<details open ontoggle=window.harm=11>",
    "\u202e<iframe srcdoc='<script>parent.harm=12</script>'>",
]
TABS = ("Captions", "Generate", "Curate", "Compare", "Diversity", "Export")


@pytest.fixture(scope="module")
def app(serve: Callable[..., ServedApp]) -> ServedApp:
    def prepare(studio: Any) -> None:
        fill(studio, "small", [f"a cat {payload}" for payload in PAYLOADS], 2)
        studio.curation.select("best", studio.curation.rule("small"))
        write_with(studio, [f"A zebra {payload} in the sun" for payload in PAYLOADS])

    return serve(prepare)


def write_with(studio: Any, texts: list[str]) -> None:
    """What a language model answers is nobody's friend either: some become captions, the others rows with reasons."""
    with fake_server(lambda number, body: texts[number % len(texts)]) as server:
        settings = WritingSettings("written", len(texts), writer=server.name, classes="FILE", words="1:60",
                                   max_requests=60)
        job = studio.writing.start(settings, "zebra\nhorse")
        until_done(studio, job)


def until_done(studio: Any, job: str) -> None:
    for _ in range(600):
        state = studio.jobs.show(job)["state"]
        if state in ("done", "failed", "stopped", "crashed"):
            assert state == "done", studio.jobs.show(job)
            return
        time.sleep(0.1)
    raise AssertionError("the job did not end")


def unharmed(page: Any) -> None:
    assert page.evaluate("window.harm ?? null") is None


def test_stored_texts_are_shown_as_text_on_every_tab(app: ServedApp, visit: Any) -> None:
    page = visit(app).open()
    for tab in TABS:
        open_room(page, tab)
        page.wait_for_load_state("networkidle")
        unharmed(page)
    open_room(page, "Curate")
    page.locator(".s-tile").first.wait_for()
    for place in range(3):
        page.locator(".s-tile").nth(place).click()
        page.get_by_role("dialog", name="Candidate").wait_for()
        page.wait_for_timeout(300)
        unharmed(page)
        page.keyboard.press("Escape")
    shown = page.locator(".s-tile").all_inner_texts()
    assert any("<img src=x" in text for text in shown), "the payloads have to be there to prove anything"


def test_what_is_typed_is_shown_as_text(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Generate")
    prompt = page.get_by_label("Prompt", exact=True).first
    for payload in PAYLOADS:
        prompt.fill(f"a cat {payload} {{red|blue}}")
        page.wait_for_timeout(150)
        unharmed(page)
    open_room(page, "Curate")
    page.locator(".s-tile").first.wait_for()
    page.locator(".s-find input").first.focus()
    for payload in PAYLOADS:
        page.get_by_label("Filter", exact=True).fill(payload)
        page.wait_for_timeout(150)
        unharmed(page)
    open_room(page, "Captions")
    page.get_by_role("tab", name="Write", exact=True).click()
    page.locator("synth-write").get_by_label("Classes", exact=True).fill("\n".join(PAYLOADS))
    page.wait_for_timeout(600)
    unharmed(page)


def test_names_and_contents_of_an_import_are_shown_as_text(app: ServedApp, visit: Any, tmp_path: Path) -> None:
    lines = [json.dumps({"caption": each, each: each, "image": each, "id": each}) for each in PAYLOADS]
    files = {"<img src=x onerror=window.harm=13>.jsonl": lines, "${window.harm=14}.jsonl": ["{broken"]}
    for name, content in files.items():
        page = visit(app).open("Captions")
        path = tmp_path / name
        path.write_text("\n".join(content), encoding="utf-8")
        page.locator("#caption-source input[type=file]").first.set_input_files(str(path))
        preview = page.locator("synth-import-preview")
        until(page, preview.inner_text)
        page.wait_for_timeout(500)
        unharmed(page)
    for dataset in ("<img src=x onerror=window.harm=15>", "${window.harm=16}", "../../etc"):
        page.get_by_label("Dataset").first.fill(dataset)
        page.get_by_role("tab", name="Pasted lines", exact=True).click()
        paste(page, "a cat")
        page.get_by_role("button", name="Import lines").click()
        page.get_by_text("cannot be the name of a dataset").first.wait_for()
        unharmed(page)


def test_an_address_that_was_made_to_do_harm_does_none(app: ServedApp, visit: Any) -> None:
    page = visit(app).open()
    for payload in PAYLOADS[:6]:
        link = f"#curate?dataset={payload}&where={payload}&text={payload}&order={payload}&show={payload}"
        page.goto("about:blank")
        page.goto(app.address + link)
        page.get_by_role("tab", name="Captions").wait_for()
        page.wait_for_timeout(700)
        unharmed(page)
