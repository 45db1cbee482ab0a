"""Exports of every format: what stands in them, that they repeat, and that nothing is ever left half-written."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from synthvlm_ui.errors import BadSetting, DiskFull, DuplicateId, EmptyInput, UnknownName, UserError
from synthvlm_ui.export import ExportItem, ExportOptions, export, export_llava, formats, validate
from synthvlm_ui.records import Candidate, Selection, SelectionRule

FORMATS = sorted(formats())


@cache
def picture(seed: int, size=(24, 24), form="webp") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **({"lossless": True} if form == "webp" else {}))
    return buffer.getvalue()


def item(number: int, caption: str | None = None, image: bytes | None = None, **facts) -> ExportItem:
    fields = {"id": f"{number:016x}", "dataset": "set", "caption_id": f"c{number // 2}",
              "caption": f"A cat, number {number}." if caption is None else caption, "prompt_template": "{caption}",
              "prompt": "A cat", "negative_prompt": None, "generator": "miniature", "model": "small-world",
              "revision": "abc", "sampler": "masked", "num_inference_steps": 12, "guidance_scale": 3.0, "width": 24,
              "height": 24, "run_seed": 0, "repeat": number % 2, "seed": number, "created": str(time.time())}
    scores = {"clip_cosine": 0.25 + number / 1000, "ssim": float("nan") if number == 1 else 0.8, "guard": 0}
    return ExportItem(Candidate(**(fields | facts)), picture(number) if image is None else image, "webp", scores)


def items(count: int = 6):
    return [item(number) for number in range(count)]


def selection(count: int = 6) -> Selection:
    ids = tuple(f"{number:016x}" for number in range(count))
    return Selection("best", SelectionRule("set", clip_min=0.25, top_k=count), ids, 9, 3, str(time.time()),
                     {"combined_cut": 0.65})


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_equal_pairs_give_equal_bytes_and_a_valid_export(tmp_path, form):
    reports = []
    for name in ("one", "two"):
        reports.append(export(form, items(), tmp_path / name, selection=selection(), rejects=[item(50)]))
        time.sleep(0.01)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert reports[0].manifest_sha256 == reports[1].manifest_sha256 and reports[0].written == 6
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one", "two"]
    report = validate(tmp_path / "one", form)
    assert (report.ok, report.errors, report.warnings, report.records) == (True, [], [], 6)
    other = export(form, items()[::-1], tmp_path / "three")
    assert other.manifest_sha256 != reports[0].manifest_sha256


def test_llava_records_are_what_its_loader_asserts(tmp_path):
    export_llava(items(40), tmp_path / "out")
    records = json.loads((tmp_path / "out/llava.json").read_text())
    for number, record in enumerate(records):
        assert sorted(record) == ["conversations", "id", "image"]
        human, model = record["conversations"]
        assert human["value"].count("<image>") == 1 and "<image>" in (human["value"][:7], human["value"][-7:])
        assert (human["from"], model["from"], model["value"]) == ("human", "gpt", f"A cat, number {number}.")
        assert (tmp_path / "out/images" / record["image"]).read_bytes() == picture(number)
    humans = {record["conversations"][0]["value"] for record in records}
    assert len(humans) > 8 and len({human.startswith("<image>") for human in humans}) == 2
    export_llava(items(40), tmp_path / "other", options=ExportOptions(seed=1))
    assert (tmp_path / "other/llava.json").read_text() != (tmp_path / "out/llava.json").read_text()


def test_scores_selection_rejects_and_card_tell_where_the_data_comes_from(tmp_path):
    export_llava(items(), tmp_path / "out", selection=selection(), rejects=[item(50), item(51)],
                 options=ExportOptions(licences={"small-world": "CC0"}))
    out = tmp_path / "out"
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"{number:016x}" for number in range(6)]
    assert rows[1]["scores"] == {"clip_cosine": 0.251, "ssim": None, "guard": 0}
    assert rows[1]["provenance"]["seed"] == 1 and "created" not in rows[1]["provenance"]
    assert len((out / "rejects.jsonl").read_text().splitlines()) == 2
    assert json.loads((out / "selection.json").read_text())["rule"]["clip_min"] == 0.25
    card = (out / "README.md").read_text()
    for fact in ("6 pairs from 3 captions", "`small-world`", "`CC0`", "clip_min: `0.25`",
                 "0.2525 | 0.0017 | 0.2500 | 0.2550", "kept 6 of 9"):
        assert fact in card


def test_jsonl_and_parquet_hold_the_same_columns(tmp_path):
    export("jsonl", items(), tmp_path / "lines")
    export("parquet", items(), tmp_path / "table")
    rows = [json.loads(line) for line in (tmp_path / "lines/data.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "table/data/train-00000.parquet")
    assert table.column_names[:9] == ["id", "caption_id", "caption", "prompt", "image", "seed", "generator",
                                      "clip_cosine", "ssim"]
    for row, line in zip(table.to_pylist(), rows, strict=True):
        assert {**row, "image": 0} == {**line, "image": 0}
        assert row["image"]["bytes"] == (tmp_path / "lines" / line["image"]).read_bytes()
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"} and features["ssim"] == {"dtype": "float64", "_type": "Value"}


@pytest.mark.parametrize(("image_format", "suffix", "lossless"),
                         [("keep", "webp", True), ("png", "png", True), ("webp", "webp", True), ("jpeg", "jpg", False)])
def test_images_are_kept_or_encoded_again(tmp_path, image_format, suffix, lossless):
    export("llava", items(), tmp_path / "out", options=ExportOptions(image_format=image_format))
    record = json.loads((tmp_path / "out/llava.json").read_text())[3]
    assert record["image"].endswith("." + suffix)
    with Image.open(tmp_path / "out/images" / record["image"]) as image, Image.open(io.BytesIO(picture(3))) as source:
        assert (np.asarray(image.convert("RGB")) == np.asarray(source.convert("RGB"))).all() == lossless
    assert validate(tmp_path / "out", "llava").ok


def test_pairs_that_a_trainer_could_not_read_are_left_out_and_counted(tmp_path):
    odd = [item(10, "an <image> token"), item(11, image=b"no image"), item(12, image=b""),
           item(13, image=picture(1)[:20])]
    report = export_llava([*items(2), *odd], tmp_path / "out")
    assert report.written == 2 and sum(report.skipped.values()) == 4
    assert set(report.skipped) == {"caption holds <image>, which LLaVA reads as a second image", "no image",
                                   "image does not open"}
    assert len((tmp_path / "out/skipped.jsonl").read_text().splitlines()) == 4
    assert validate(tmp_path / "out", "llava").ok
    with pytest.raises(EmptyInput, match="does not open"):
        export_llava(odd[1:2], tmp_path / "none")


def test_a_hostile_caption_id_or_template_stays_inside_its_place(tmp_path):
    nasty = [item(0, id="../../x"), item(1, id="/etc/passwd"), item(2, caption="`code` | <script>"),
             item(3, id="a" * 500), item(4, prompt_template="`|` [x](javascript:1) {caption}", model="</table>`")]
    report = export_llava(nasty, tmp_path / "deep/out")
    assert report.written == 5 and validate(tmp_path / "deep/out", "llava").ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]
    assert "`` `\\|` [x](javascript:1) {caption} ``" in (tmp_path / "deep/out/README.md").read_text()


def test_a_destination_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(BadSetting, match="not empty"):
            export_llava(items(), tmp_path / "mine", overwrite=overwrite)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadSetting, match="is a file"):
        export_llava(items(), tmp_path / "file")
    (tmp_path / "empty").mkdir()
    export_llava(items(), tmp_path / "empty")
    with pytest.raises(BadSetting, match="--overwrite"):
        export_llava(items(), tmp_path / "empty")
    export("jsonl", items(3), tmp_path / "empty", overwrite=True)
    assert "data.jsonl" in tree(tmp_path / "empty") and "llava.json" not in tree(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "mine"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("broken"), KeyboardInterrupt()])
def test_whatever_stops_an_export_leaves_what_was_there_before(tmp_path, form, error):
    export(form, items(2), tmp_path / "out")
    before = tree(tmp_path)

    def breaking():
        yield from items(3)
        raise error

    with pytest.raises(DiskFull if isinstance(error, OSError) else type(error)):
        export(form, breaking(), tmp_path / "out", overwrite=True)
    assert tree(tmp_path) == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("form", ["llava", "jsonl"])
def test_a_full_disk_is_one_clear_error_and_nothing_stays(tmp_path, form, monkeypatch):
    real = io.FileIO

    def on_full_disk(path, mode):
        return real("/dev/full", "wb") if str(path).endswith("scores.jsonl") else real(path, mode)

    monkeypatch.setattr("synthvlm_ui.export.staging.io.FileIO", on_full_disk)
    with pytest.raises(DiskFull, match="no room left"):
        export(form, items(), tmp_path / "new/out")
    assert tree(tmp_path) == {}


def test_a_killed_export_leaves_no_destination_and_the_next_one_cleans_up(tmp_path):
    program = (
        "import sys, time; sys.path[:0] = sys.argv[2:]\n"
        "from test_export_writing import items, export_llava\n"
        "def slow():\n"
        "    yield from items(4)\n"
        "    print('half', flush=True); time.sleep(60)\n"
        "export_llava(slow(), sys.argv[1])\n")
    out = tmp_path / "out"
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    with subprocess.Popen([sys.executable, "-c", program, str(out), *paths], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"half\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not out.exists() and len(list(tmp_path.iterdir())) == 1
    export_llava(items(), out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_wrong_names_are_user_errors(tmp_path):
    with pytest.raises(UnknownName, match="llava"):
        export("lava", items(), tmp_path / "out")
    with pytest.raises(BadSetting, match="keep, jpeg, png, webp"):
        ExportOptions(image_format="gif")
    with pytest.raises(DuplicateId):
        export_llava([item(1), item(1)], tmp_path / "out")
    with pytest.raises(EmptyInput):
        export_llava([], tmp_path / "out")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError):
        export_llava(items(), tmp_path / "file/out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_score_that_only_later_pairs_have_is_refused_by_parquet(tmp_path):
    late = [item(number, image=picture(0)) for number in range(1001)]
    late[-1] = ExportItem(late[-1].candidate, late[-1].image, "webp", {**late[-1].scores, "extra": 1.0})
    with pytest.raises(BadSetting, match="'extra'"):
        export("parquet", late, tmp_path / "out")
    assert not (tmp_path / "out").exists()
