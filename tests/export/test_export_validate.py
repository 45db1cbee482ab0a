"""The check of exported folders finds what would stop or harm a trainer."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_export_writing import items, picture

from synthvlm_ui.errors import UnknownName, UnreadableFile
from synthvlm_ui.export import export, export_llava, validate


@pytest.fixture
def exported(tmp_path):
    export_llava(items(3), tmp_path / "out")
    return tmp_path / "out"


def change(folder, edit):
    file = folder / "llava.json"
    records = json.loads(file.read_text())
    (folder / "manifest.json").unlink()
    file.write_text(json.dumps(edit(records) or records))


def turn(record, at, value):
    record["conversations"][at]["value"] = value


@pytest.mark.parametrize(("edit", "says"), [
    (lambda r: r[0].update(image=7), "image is not a text"), (lambda r: r[0].pop("image") and None, "no image"),
    (lambda r: r[0].update(image="../x.webp"), "leads out"), (lambda r: r[0].update(image="/etc/x.webp"), "leads out"),
    (lambda r: r[0].update(image="C:\\x.webp"), "leads out"),
    (lambda r: r[0].update(image="a\\..\\..\\x"), "leads out"),
    (lambda r: r[0].update(image="ab/none.webp"), "No such file"), (lambda r: r[0].update(id=r[1]["id"]), "twice"),
    (lambda r: r[0].update(id=5), "id is not a text"), (lambda r: turn(r[0], 0, "no token"), "0 times <image>"),
    (lambda r: turn(r[0], 0, "<image> <image>"), "2 times <image>"), (lambda r: turn(r[0], 1, "  "), "empty caption"),
    (lambda r: turn(r[0], 1, "an <image>"), "in the caption"), (lambda r: turn(r[0], 1, None), "without a text"),
    (lambda r: r[0]["conversations"].append({}), "3 turns"), (lambda r: r[0].update(conversations="x"), "no turns"),
    (lambda r: r[0]["conversations"].reverse(), "not from human"), (lambda r: {"a": 1}, "not a JSON array"),
    (lambda r: ["text"], "not an object"),
])
def test_every_assertion_of_llava_is_checked(exported, edit, says):
    assert validate(exported, "llava").ok
    change(exported, edit)
    report = validate(exported, "llava")
    assert not report.ok and any(says in error for error in report.errors)


def test_an_image_that_does_not_decode_or_is_another_is_found(exported):
    images = sorted((exported / "images").rglob("*.webp"))
    whole = images[0].read_bytes()
    images[0].write_bytes(whole[: len(whole) // 2])
    images[1].write_bytes(picture(99))
    report = validate(exported, "llava")
    assert len(report.errors) == 2 and all("not the file of the manifest" in error for error in report.errors)
    (exported / "manifest.json").unlink()
    report = validate(exported, "llava")
    assert len(report.errors) == 1 and "does not" in report.errors[0]


def test_the_manifest_covers_every_file(exported):
    with (exported / "scores.jsonl").open("a") as file:
        file.write("\n")
    (exported / "README.md").unlink()
    (exported / "extra.txt").write_text("x")
    report = validate(exported, "llava")
    assert sorted(error.partition(":")[0] for error in report.errors) == ["README.md", "scores.jsonl"]
    assert report.warnings == ["extra.txt: not in the manifest"]
    (exported / "manifest.json").write_text('{"files": {"../x": {"sha256": "0"}}}')
    assert any("leads out" in error for error in validate(exported, "llava").errors)
    (exported / "manifest.json").write_text("[]")
    assert "manifest.json: cannot be read" in validate(exported, "llava").errors


def test_data_of_other_programs_is_checked_too(tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1, (30, 20), "png"))
    record = {"id": "1", "image": "a.png", "conversations": [{"from": "human", "value": "<image>\nWhat?"},
                                                             {"from": "gpt", "value": "A cat"}]}
    (tmp_path / "blip.json").write_text(json.dumps([record]))
    for path in (tmp_path, tmp_path / "blip.json"):
        report = validate(path, "llava")
        assert report.ok and report.warnings == [
            "1 images are not square; LLaVA's first stage crops them to their middle"]


def test_messages_are_limited_and_the_rest_is_counted(tmp_path):
    (tmp_path / "llava.json").write_text(json.dumps([{"id": str(number)} for number in range(150)]))
    report = validate(tmp_path, "llava")
    assert len(report.errors) == 101 and report.errors[-1] == "and 200 more"


def test_jsonl_and_parquet(tmp_path):
    export("jsonl", items(2), tmp_path / "lines")
    (tmp_path / "lines/manifest.json").unlink()
    lines = (tmp_path / "lines/data.jsonl").read_text()
    rows = [json.loads(line) for line in lines.splitlines()]
    broken = [rows[0], {**rows[1], "caption": ""}, {**rows[0]}, {**rows[1], "id": "x", "image": "../a"}]
    text = "\n".join(["{", "[]", *(json.dumps(row) for row in broken)])
    (tmp_path / "lines/data.jsonl").write_text(text)
    messages = [error.partition(": ")[2] for error in validate(tmp_path / "lines", "jsonl").errors]
    assert messages == ["not valid JSON", "not an object", "empty caption", "id is there twice",
                        "image '../a' leads out of the folder"]
    table = [{"id": "a", "caption": "x", "image": {"bytes": picture(1)}}, {"id": "a", "caption": None, "image": None},
             {"id": "b", "caption": "y", "image": {"bytes": b"no"}}]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "t.parquet")
    messages = sorted(error.partition(": ")[2] for error in validate(tmp_path / "t.parquet", "parquet").errors)
    assert messages == ["empty caption", "id is there twice", "image does not open", "no image"]
    pq.write_table(pa.table({"caption": ["x"]}), tmp_path / "t.parquet")
    assert "no column id, image" in validate(tmp_path / "t.parquet", "parquet").errors[0]


def test_what_is_no_export_at_all_is_an_error_of_the_user(tmp_path):
    with pytest.raises(UnknownName):
        validate(tmp_path, "lava")
    for form in ("llava", "jsonl", "parquet"):
        with pytest.raises(UnreadableFile):
            validate(tmp_path, form)
        with pytest.raises(UnreadableFile, match="no such"):
            validate(tmp_path / "none", form)
    (tmp_path / "llava.json").write_text("[")
    with pytest.raises(UnreadableFile, match="not valid JSON"):
        validate(tmp_path, "llava")
    (tmp_path / "llava.json").write_text("[]")
    assert validate(tmp_path, "llava").errors == ["there is no record"]
