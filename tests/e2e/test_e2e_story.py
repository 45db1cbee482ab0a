"""The whole story in a real browser, with the models that ship: captions, images, scores, thresholds, verdicts, export.

Slow by nature: it loads the small models once and draws a dozen images.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served_app import ROUTES, WORK_LIMIT_MS, ServedApp, open_room, paste, snap, until

from synthvlm_ui.config import REPOSITORY

LINES = ["a red apple to the left of a blue car on a green meadow", "on a sandy beach, two buses", "", "a yellow duck",
         "two green frogs", "a red apple to the left of a blue car on a green meadow"]
CAPTIONS = list(dict.fromkeys(line for line in LINES if line))
IMAGES_PER_CAPTION = 3
ALL = len(CAPTIONS) * IMAGES_PER_CAPTION


@pytest.fixture(scope="module")
def app(serve: Any) -> ServedApp:
    return serve()


def test_the_story(app: ServedApp, visit: Any) -> None:
    page = visit(app).open()
    import_lines(page)
    import_a_bad_file(page, app)
    unknown_words_are_marked(page)
    ids = generate(page, app)
    the_pictures_are_the_model_s(app, ids)
    kept = curate(page, app)
    the_shown_command_selects_the_same(page, app, kept)
    export(page, app, kept)
    one_prompt(page, app)


def import_lines(page: Any) -> None:
    page.get_by_label("Dataset").first.fill("toys")
    page.get_by_role("tab", name="Pasted lines").click()
    paste(page, "\n".join(LINES))
    page.get_by_role("button", name="Import lines").click()
    page.get_by_text(f"{len(CAPTIONS)} captions imported into “toys”").wait_for()
    page.locator(".s-caption", has_text="a yellow duck").wait_for()
    assert page.locator(".s-caption").count() == len(CAPTIONS)
    assert page.locator(".s-rejects").is_visible(), "the duplicate is told"
    snap(page, "captions-imported")


def import_a_bad_file(page: Any, app: ServedApp) -> None:
    before = app.ask("state")["summary"]["datasets"]
    page.get_by_role("tab", name="File", exact=True).click()
    page.locator("input[type=file]").first.set_input_files(
        {"name": "broken.parquet", "mimeType": "application/octet-stream", "buffer": b"not a parquet file"})
    page.get_by_text("broken.parquet").first.wait_for()
    page.get_by_role("button", name="Import file").click()
    toast = page.locator("[data-testid=toast-body]").first
    toast.wait_for()
    assert "broken.parquet" in toast.inner_text() and "/tmp" not in toast.inner_text()
    page.locator(".s-refused").last.wait_for()
    assert app.ask("state")["summary"]["datasets"] == before
    snap(page, "captions-error")
    page.get_by_label("Close").first.click()


def unknown_words_are_marked(page: Any) -> None:
    open_room(page, "Generate")
    page.get_by_label("Prompt", exact=True).fill("a red apple and a quantum telescope")
    marks = page.locator(".s-echo mark")
    until(page, lambda: "telescope" in marks.all_text_contents())
    assert "apple" not in marks.all_text_contents()
    snap(page, "generate-unknown-words")
    page.get_by_role("button", name="Use a real model").click()
    assert page.get_by_label(re.compile("^Generator .name")).input_value() == "sdxl"
    page.get_by_text("needs download").first.wait_for()
    page.get_by_role("button", name=re.compile("^miniature")).click()
    chip = page.locator("synth-generate .s-chips[aria-label=Examples] button").first
    example = chip.inner_text()
    chip.click()
    assert page.get_by_label("Prompt", exact=True).input_value() == example
    until(page, lambda: not page.locator(".s-unknown").is_visible())


def generate(page: Any, app: ServedApp) -> list[str]:
    page.get_by_text("A dataset", exact=True).click()
    page.locator("synth-generate select").first.select_option("toys")
    page.get_by_label("Images per caption").fill(str(IMAGES_PER_CAPTION))
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_text(re.compile(f"^{ALL} images ·")).wait_for()
    assert f"generate --dataset toys --images-per-caption {IMAGES_PER_CAPTION}" in page.locator(
        "synth-generate synth-command code").inner_text().replace("--generator miniature ", "")
    page.get_by_role("button", name="Generate", exact=True).click()
    tiles = page.locator("synth-generate .s-live-tile")
    until(page, lambda: tiles.count() or app.gone_wrong(), WORK_LIMIT_MS)
    snap(page, "generate-live")
    until(page, lambda: page.get_by_text("Finished", exact=True).is_visible() or app.gone_wrong(), WORK_LIMIT_MS)
    assert app.gone_wrong() == []
    assert tiles.count() == ALL
    assert re.search(r"CLIP -?\d\.\d{3}\s*SSIM -?\d\.\d{3}", tiles.first.locator(".s-numbers").inner_text())
    page.get_by_label("CLIPScore as").first.select_option("x100")
    assert re.search(r"CLIP -?\d+\.\d\s", tiles.first.locator(".s-numbers").inner_text() + " ")
    page.get_by_label("CLIPScore as").first.select_option("cosine")
    until(page, lambda: all(page.evaluate(
        "[...document.querySelectorAll('synth-generate .s-live-tile img')].map(i => i.naturalWidth > 0)")))
    snap(page, "generate-done")
    job = app.ask("state")["jobs"][0]
    return [row["candidate_id"] for row in app.ask(f"jobs/{job['id']}/live")["images"]]


def the_pictures_are_the_model_s(app: ServedApp, ids: list[str]) -> None:
    """Drawn again from the shown facts by the model itself, one picture comes out pixel for pixel."""
    pictures = {candidate_id: pixels(app, f"image/{candidate_id}") for candidate_id in ids}
    assert len(pictures) == ALL
    for picture in pictures.values():
        assert picture.shape == (64, 64, 3) and picture.std() > 5, "not blank"
    assert len({picture.tobytes() for picture in pictures.values()}) == ALL, "every seed has its own picture"
    assert np.array_equal(pixels(app, f"thumb/{ids[0]}"), pictures[ids[0]])
    facts = app.ask(f"candidate/{ids[0]}")
    script = """
import json, sys
import numpy as np
from synthvlm_ui.backends import create_generator
from synthvlm_ui.records import GenerationRequest
facts = json.loads(sys.argv[1])
names = ("prompt", "seed", "width", "height", "num_inference_steps", "guidance_scale", "negative_prompt")
generator = create_generator(facts["generator"], device="cpu")
assert type(generator).__module__.startswith("synthvlm_ui.backends."), type(generator)
np.save(sys.argv[2], generator.generate([GenerationRequest(**{name: facts[name] for name in names})])[0])
"""
    again = app.workspace.parent / "again.npy"
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, json.dumps(facts), str(again)], cwd=REPOSITORY,
                   check=True, timeout=WORK_LIMIT_MS / 1000)
    difference = np.abs(np.load(again).astype(int) - pictures[ids[0]].astype(int))
    assert (difference > 8).mean() < 0.02, "across batch shapes the engine may round differently, and no more"


def pixels(app: ServedApp, path: str) -> np.ndarray[Any, Any]:
    with urllib.request.urlopen(app.address + ROUTES + path, timeout=60) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


def curate(page: Any, app: ServedApp) -> list[str]:
    page.get_by_role("button", name="Look at them in Curate").last.click()
    tiles = page.locator(".s-tile")
    tiles.first.wait_for()
    counts = page.locator(".s-count b")
    until(page, lambda: tiles.count() == ALL)
    page.get_by_label("Guards").uncheck()
    until(page, lambda: counts.first.inner_text() == str(ALL))
    shown = page.locator(".s-tile .s-numbers span:first-child").all_text_contents()
    scores = sorted(float(text.removeprefix("CLIP ")) for text in shown)
    middle = (scores[ALL // 2 - 1] + scores[ALL // 2]) / 2
    page.get_by_label("CLIPScore at least").fill(f"{middle:.5f}")
    until(page, lambda: abs(int(counts.first.inner_text()) - ALL // 2) <= 1)
    assert int(counts.nth(1).inner_text()) <= len(CAPTIONS)
    snap(page, "curate")
    kept = int(counts.first.inner_text())
    page.get_by_label("Show", exact=True).select_option("kept")
    until(page, lambda: tiles.count() == kept)
    tiles.first.focus()
    page.keyboard.press("r")
    until(page, lambda: counts.first.inner_text() == str(kept - 1) and tiles.count() == kept - 1)
    page.keyboard.press("z")
    until(page, lambda: counts.first.inner_text() == str(kept))
    page.keyboard.press("Shift+Z")
    until(page, lambda: counts.first.inner_text() == str(kept - 1))
    page.get_by_label("Name of the selection").fill("best")
    page.get_by_role("button", name="Save selection").click()
    page.get_by_text(re.compile("Selection “best” saved")).wait_for()
    until(page, lambda: tiles.count() == kept - 1)
    return [tile.get_attribute("data-id") for tile in tiles.all()]


def the_shown_command_selects_the_same(page: Any, app: ServedApp, kept: list[str]) -> None:
    shown = page.locator("synth-curate synth-command code")
    words = shlex.split(until(page, lambda: shown.inner_text() if "--name best" in shown.inner_text() else ""))
    words[words.index("--name") + 1] = "typed"
    assert words[:3] == ["python", "-m", "synthvlm_ui"]
    words[3:3] = ["--json"]
    done = subprocess.run([sys.executable, *words[1:]], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    typed = Path(answer["ids_file"]).read_text(encoding="utf-8").split()
    assert sorted(typed) == sorted(kept)


def export(page: Any, app: ServedApp, kept: list[str]) -> None:
    open_room(page, "Export")
    page.get_by_role("combobox", name="Selection", exact=True).click()
    page.get_by_role("option", name="best").click()
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_text(f"{len(kept)} pairs written").wait_for(timeout=60_000)
    directory = Path(page.locator(".s-result-card dd").first.inner_text())
    assert directory.is_relative_to(app.workspace)
    assert re.fullmatch("[0-9a-f]{64}", page.locator(".s-result-card dd").nth(1).inner_text())
    page.get_by_role("button", name="Validate an export").click()
    page.get_by_text("The export reads back as it should").wait_for()
    snap(page, "export-done")
    with page.expect_download() as coming:
        page.get_by_role("row").get_by_role("link", name=f"Download {directory.name}.tar").click()
    with tarfile.open(coming.value.path()) as tar:
        inside = {name: tar.extractfile(name).read() for name in tar.getnames()}
    on_disk = [path for path in directory.rglob("*") if path.is_file()]
    assert inside == {str(path.relative_to(directory.parent)): path.read_bytes() for path in on_disk}
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.json"))]
    rows = next(rows for rows in files if isinstance(rows, list) and "conversations" in rows[0])
    assert len(rows) == len(kept)
    for row in rows:
        assert (directory / row["image"]).is_file() or list(directory.rglob(Path(row["image"]).name))
        assert row["conversations"][1]["value"] in CAPTIONS
    page.get_by_role("button", name="Export", exact=True).click()
    page.locator("[data-testid=toast-body]").first.wait_for()


def one_prompt(page: Any, app: ServedApp) -> None:
    """A typed prompt with its own steps and guidance; its picture is what Curate shows next."""
    open_room(page, "Generate")
    page.get_by_text("One prompt", exact=True).click()
    page.get_by_label("Prompt", exact=True).fill("a yellow duck")
    page.get_by_label("Images per caption").fill("1")
    page.get_by_label("Steps", exact=True).fill("4")
    page.get_by_label("Guidance scale").fill("2.5")
    page.get_by_text(re.compile("^1 image ·")).wait_for()
    known = len(app.ask("state")["jobs"])
    page.get_by_role("button", name="Generate", exact=True).click()
    until(page, lambda: len(app.ask("state")["jobs"]) == known + 1)
    until(page, lambda: app.ask("state")["jobs"][0]["state"] == "done" or app.gone_wrong(), WORK_LIMIT_MS)
    assert app.gone_wrong() == []
    page.get_by_role("button", name="Look at them in Curate").last.click()
    until(page, lambda: page.locator(".s-tile").count() == 1)
    facts = app.ask("candidate/" + page.locator(".s-tile").first.get_attribute("data-id"))
    assert (facts["dataset"], facts["num_inference_steps"], facts["guidance_scale"]) == ("prompts", 4, 2.5)
