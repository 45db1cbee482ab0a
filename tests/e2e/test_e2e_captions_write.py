"""Writing captions by class and bringing a file in, in a real browser with the small world's own writer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer, serving, table
from served_app import WORK_LIMIT_MS, ServedApp, no_sideways_scrolling, resize, snap

from synthvlm_ui.miniature.grammar import parse

PAIRS = {"README.md": b"", "train.parquet": table(range(6)), "test.parquet": table(range(6, 9))}


@pytest.fixture(scope="module")
def app(serve: Any) -> Iterator[ServedApp]:
    with serving(HubServer({"them/pairs": PAIRS, "them/gated": PAIRS}, frozenset({"them/gated"}))) as hub:
        yield serve(lambda studio: studio.captions.load_sample(), hub_url=hub.url)


def open_write(page: Any) -> Any:
    page.get_by_role("tab", name="Write", exact=True).click()
    return page.locator("synth-write")


def test_captions_are_written_by_class(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Captions")
    page.get_by_label("Dataset").first.fill("zoo")
    form = open_write(page)
    form.get_by_label("Captions").fill("12")
    form.get_by_label("Classes are drawn").select_option("balanced")
    form.get_by_label("Classes", exact=True).fill("cat\nowl\nzebra")
    form.get_by_text("the small world does not know 1 of these classes: zebra").wait_for()
    assert form.get_by_role("button", name="Write captions").is_disabled()
    form.get_by_label("Classes", exact=True).fill("cat\nowl\npenguin")
    form.get_by_text("3 of 3 classes are drawn, 1.58 bits of entropy.").wait_for()
    command = form.locator("synth-command").inner_text()
    assert "captions write --dataset zoo --count 12 --classes FILE --balance" in command
    form.get_by_text("First prompts").click()
    assert form.get_by_role("list", name="First prompts").get_by_role("listitem").count() == 5
    snap(page, "captions-write")
    form.get_by_role("button", name="Write captions").click()
    form.get_by_text("captions written into “zoo”").wait_for(timeout=WORK_LIMIT_MS)
    rows = app.ask("captions?dataset=zoo&limit=50")["rows"]
    texts = [row["caption"] for row in rows]
    assert len(texts) == len(set(texts)) >= 10
    assert all(parse(text) for text in texts)
    page.locator(".s-caption", has_text=texts[0]).first.wait_for()
    snap(page, "captions-written")


def test_gaps_are_filled_and_entropy_told_before_and_after(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Captions")
    page.locator("#caption-source").get_by_role("tab", name="Fill gaps", exact=True).click()
    form = page.locator("synth-gaps")
    form.get_by_label("Dataset to fill").select_option("sample")
    form.get_by_label("More captions").fill("6")
    form.get_by_label("Clusters K").fill("4")
    form.get_by_text("diversity --datasets sample --k 4 --fill-gaps 6").wait_for()
    form.get_by_role("button", name="Fill the gaps").click()
    said = form.get_by_text("written into “sample”")
    said.wait_for(timeout=WORK_LIMIT_MS)
    before, after = (float(word) for word in re.findall(r"\d\.\d\d", said.inner_text()))
    assert before < after <= 2
    assert form.locator(".s-gap-bar").count() == 4
    resize(page, 390, 844)
    assert no_sideways_scrolling(page)
    form.scroll_into_view_if_needed()
    snap(page, "captions-gaps")


def test_another_writer_shows_its_prompt_and_a_server_is_not_named_in_the_page(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Captions")
    form = open_write(page)
    writer = form.get_by_label("Writer (name, Hub id or directory)")
    writer.fill("openai:model@http://169.254.169.254/v1")
    form.get_by_text("a server is named on the command line").wait_for()
    form.get_by_role("button", name="openai").click()
    form.get_by_text("SYNTHVLM_WRITER_URL is not set").wait_for()
    assert form.get_by_text("Prompt, checks and budget").is_visible()


def test_a_file_is_looked_at_before_it_is_imported(app: ServedApp, visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    lines = [json.dumps({"Text": f"a red cat number {n}", "alt": f"<b>other {n}</b>"}) for n in range(30)]
    path.write_text("\n".join([lines[0], "{broken", *lines[1:]]), encoding="utf-8")
    page = visit(app).open("Captions")
    page.get_by_label("Dataset").first.fill("odd")
    page.locator("#caption-source input[type=file]").first.set_input_files(str(path))
    preview = page.locator("synth-import-preview")
    preview.get_by_role("cell", name="a red cat number 0").wait_for()
    assert "not valid JSON" in preview.inner_text()
    assert preview.get_by_role("row").filter(has_text="not valid JSON").get_by_role("cell").first.inner_text() == "2"
    page.get_by_role("button", name="Columns and duplicates").click()
    column = page.get_by_label("Column of the captions")
    assert column.input_value() == "Text"
    column.click()
    page.get_by_role("option", name="alt").click()
    preview.get_by_role("cell", name="<b>other 0</b>").wait_for()
    snap(page, "captions-preview")
    page.get_by_text("--map caption=alt").wait_for()
    page.get_by_role("button", name="Import file").click()
    page.get_by_text("30 captions imported into “odd”").wait_for()
    assert app.ask("captions?dataset=odd&limit=1")["rows"][0]["caption"] == "<b>other 0</b>"


def test_a_data_set_of_the_hub_comes_with_its_images(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Captions")
    page.get_by_label("Dataset").first.fill("theirs")
    page.locator("#caption-source").get_by_role("tab", name="Hub", exact=True).click()
    form = page.locator("synth-hub")
    name = form.get_by_label("Data set (Hub id or address)")
    name.fill("../etc")
    form.get_by_text("names no data set of the Hub").wait_for()
    assert form.get_by_role("button", name="Import from the Hub").is_disabled()
    name.fill("them/gated")
    form.get_by_role("button", name="Look at the first rows").click()
    form.get_by_text("them/gated is gated").wait_for(timeout=WORK_LIMIT_MS)
    name.fill("https://huggingface.co/datasets/them/pairs")
    form.get_by_label("Split").fill("train")
    form.get_by_label("Store its images as real ones too").check()
    form.get_by_text("'hf:them/pairs?split=train' --dataset theirs --limit 10000 --images").wait_for()
    form.get_by_role("button", name="Look at the first rows").click()
    form.get_by_role("cell", name="caption 5").wait_for(timeout=WORK_LIMIT_MS)
    snap(page, "captions-hub")
    form.get_by_role("button", name="Import from the Hub").click()
    form.get_by_text("6 captions imported into “theirs”").wait_for(timeout=WORK_LIMIT_MS)
    form.get_by_text("6 real images stored, 0 skipped.").wait_for(timeout=WORK_LIMIT_MS)
    resize(page, 390, 844)
    assert no_sideways_scrolling(page)
    snap(page, "captions-hub-phone")


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(app: ServedApp, visit: Any, dark: bool) -> None:
    page = visit(app).open("Captions") if not dark else visit(app, phone=True, dark=True).open("Captions")
    if not dark:
        resize(page, 390, 844)
    form = open_write(page)
    form.get_by_text("of 48 classes are drawn").wait_for()
    assert no_sideways_scrolling(page)
    snap(page, f"captions-write-phone-{'dark' if dark else 'light'}")


def test_a_prompt_with_choices_and_a_matrix_of_it(app: ServedApp, visit: Any) -> None:
    page = visit(app).open("Generate")
    page.get_by_label("Prompt", exact=True).fill("a {red|blue} cat")
    resolved = page.get_by_role("list", name="Resolved prompts")
    resolved.get_by_text("a blue cat").wait_for()
    assert sorted(resolved.get_by_role("listitem").all_inner_texts()) == ["a blue cat", "a red cat"]
    page.get_by_label("Prompt", exact=True).fill("a red cat")
    page.get_by_label("Steps", exact=True).fill("2")
    page.get_by_text("Prompt matrix").click()
    matrix = page.locator("synth-matrix")
    matrix.get_by_label("Values along").fill("red|blue")
    matrix.get_by_label("Values down").fill("1, 2")
    matrix.get_by_role("button", name="Draw the matrix").click()
    matrix.get_by_text("All cells are drawn.").wait_for(timeout=WORK_LIMIT_MS)
    assert matrix.locator("img").count() == 4
    assert matrix.get_by_role("columnheader").all_inner_texts() == ["red", "blue"]
    matrix.scroll_into_view_if_needed()
    snap(page, "matrix")
