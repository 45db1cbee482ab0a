"""Data sets as others publish them: COCO, Flickr30k, WebDataset, Hugging Face, folders; and files that only look so."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthvlm_ui.captions import read_captions
from synthvlm_ui.errors import BadSetting, EmptyInput, UnreadableFile
from synthvlm_ui.records import Caption, caption_id_of

COCO = {
    "info": {"year": 2014}, "licenses": [],
    "images": [{"id": 391895, "file_name": "COCO_val2014_000000391895.jpg", "height": 360},
               {"id": 522418, "file_name": "COCO_val2014_000000522418.jpg", "height": 480}],
    "annotations": [{"image_id": 522418, "id": 681330, "caption": "A woman cutting a large white sheet cake."},
                    {"image_id": 391895, "id": 770337, "caption": "A man on a moped.\n"},
                    {"image_id": 391895, "id": 771687, "caption": "Man riding a motor bike."},
                    {"image_id": 99, "id": 5, "caption": "Nobody knows the image."}, {"id": 6}]}
KARPATHY = {"dataset": "coco", "images": [
    {"filepath": "val2014", "sentids": [770337, 771687], "filename": "COCO_val2014_000000391895.jpg", "imgid": 0,
     "split": "test", "cocoid": 391895, "sentences": [
         {"tokens": ["a", "man"], "raw": "A man on a moped.", "imgid": 0, "sentid": 770337},
         {"tokens": ["man"], "raw": "Man riding a motor bike.", "imgid": 0, "sentid": 771687}]},
    {"filepath": "train2014", "filename": "b.jpg", "split": "train", "cocoid": 7, "sentences": "none"}]}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def facts(captions: list[Caption]) -> list[tuple[Any, ...]]:
    return [(caption.id, caption.caption, caption.image, dict(caption.meta)) for caption in captions]


def test_coco_references_share_their_image(tmp_path: Path) -> None:
    read = read_captions(write(tmp_path / "captions_val2014.json", COCO))
    assert facts(list(read)) == [
        ("coco-681330", "A woman cutting a large white sheet cake.", "COCO_val2014_000000522418.jpg",
         {"image_id": 522418}),
        ("coco-770337", "A man on a moped.", "COCO_val2014_000000391895.jpg", {"image_id": 391895}),
        ("coco-771687", "Man riding a motor bike.", "COCO_val2014_000000391895.jpg", {"image_id": 391895}),
        ("coco-5", "Nobody knows the image.", None, {})]
    assert dict(read.reasons) == {"no field 'caption'": 1}
    assert any("COCO" in note for note in read.notes)


def test_coco_may_have_its_annotations_first(tmp_path: Path) -> None:
    turned = {"annotations": COCO["annotations"], "images": COCO["images"]}
    assert facts(list(read_captions(write(tmp_path / "a.json", turned)))) == facts(
        list(read_captions(write(tmp_path / "b.json", COCO))))


def test_the_karpathy_split_is_kept(tmp_path: Path) -> None:
    read = read_captions(write(tmp_path / "dataset_coco.json", KARPATHY))
    name = "val2014/COCO_val2014_000000391895.jpg"
    assert facts(list(read)) == [
        ("coco-770337", "A man on a moped.", name, {"image_id": 391895, "split": "test"}),
        ("coco-771687", "Man riding a motor bike.", name, {"image_id": 391895, "split": "test"})]
    assert dict(read.reasons) == {"no field 'sentences'": 1}
    with pytest.raises(BadSetting, match="fixed"):
        read_captions(tmp_path / "dataset_coco.json", mapping={"caption": "raw"})


def test_a_broken_coco_file_is_refused_with_its_line(tmp_path: Path) -> None:
    text = json.dumps(COCO, indent=1)
    with pytest.raises(UnreadableFile, match=r"line \d+"):
        list(read_captions(write(tmp_path / "cut.json", text[: len(text) // 2])))


TOKENS = ("1000092795.jpg#0\tTwo young guys .\n1000092795.jpg#1\tTwo young , White males .\nno token\n\n"
          "10002456.jpg#0\tMen .\n")
BARS = "image_name| comment_number| comment\n1.jpg| 0| A | B .\n1.jpg| 1| C .\n2.jpg\n"


@pytest.mark.parametrize(("name", "text", "expected", "rejected"), [
    ("results_20130124.token", TOKENS, [("1000092795.jpg#0", "Two young guys .", "1000092795.jpg"),
                                       ("1000092795.jpg#1", "Two young , White males .", "1000092795.jpg"),
                                       ("10002456.jpg#0", "Men .", "10002456.jpg")], [3]),
    ("tokens.txt", TOKENS, None, [3]),
    ("results.csv", BARS, [("1.jpg#0", "A | B .", "1.jpg"), ("1.jpg#1", "C .", "1.jpg")], [4]),
    ("captions.txt", "image,caption\na.jpg,A dog .\na.jpg,\"Dog, running .\"\n",
     [(caption_id_of("A dog ."), "A dog .", "a.jpg"),
      (caption_id_of("Dog, running ."), "Dog, running .", "a.jpg")], []),
])
def test_flickr_in_its_forms(tmp_path: Path, name: str, text: str, expected: list[tuple[str, str, str]] | None,
                             rejected: list[int]) -> None:
    read = read_captions(write(tmp_path / name, text))
    found = [(caption.id, caption.caption, caption.image) for caption in read]
    assert expected is None or found == expected
    assert [row.line for row in read.rejected] == rejected


def test_flickr_of_the_hub_has_a_list_of_references(tmp_path: Path) -> None:
    with (tmp_path / "flickr_annotations_30k.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["raw", "sentids", "split", "filename", "img_id"])
        table.writerow([json.dumps(["Two guys.", "Two males."]), "[0, 1]", "train", "1.jpg", "0"])
        table.writerow(["broken", "[]", "test", "2.jpg", "1"])
    read = read_captions(tmp_path / "flickr_annotations_30k.csv")
    assert facts(list(read)) == [
        ("flickr-0-0", "Two guys.", "1.jpg", {"image_id": "0", "split": "train", "reference": 0}),
        ("flickr-0-1", "Two males.", "1.jpg", {"image_id": "0", "split": "train", "reference": 1})]
    assert read.rejected[0].line == 3


def test_a_list_of_texts_is_several_references_in_any_file(tmp_path: Path) -> None:
    read = read_captions(write(tmp_path / "a.jsonl", '{"id": 7, "captions": ["one", "two", " "], "image": "x.png"}\n'))
    assert [(caption.id, caption.caption, caption.image) for caption in read] == [
        ("7-0", "one", "x.png"), ("7-1", "two", "x.png")]
    assert dict(read.reasons) == {"empty caption": 1}


def make_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_webdataset_samples_are_members_of_one_name(tmp_path: Path) -> None:
    make_tar(tmp_path / "b-000001.tar", {"9.txt": b"nine", "9.jpg": b"x"})
    make_tar(tmp_path / "b-000000.tar", {
        "a/1.jpg": b"x", "a/1.txt": "café one".encode(), "a/1.json": b'{"caption": "not this"}', "2.webp": b"x",
        "2.json": b'{"text": "two"}', "3.png": b"x", "4.txt": b"four", "5.json": b"{nonsense", "6.seg.png": b"x",
        "6.caption": b"six"})
    read = read_captions(tmp_path)
    assert [(caption.id, caption.caption, caption.image) for caption in read] == [
        ("a/1", "café one", "b-000000.tar/a/1.jpg"), ("2", "two", "b-000000.tar/2.webp"), ("4", "four", None),
        ("6", "six", "b-000000.tar/6.seg.png"), ("9", "nine", "b-000001.tar/9.jpg")]
    assert [(row.text_excerpt, row.file) for row in read.rejected] == [("3", "b-000000.tar"), ("5", "b-000000.tar")]


def test_names_inside_an_archive_lead_nowhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        for name, content in (("../../etc/x.txt", b"out"), ("/abs.txt", b"abs")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = sorted(tmp_path.parent.rglob("*"))
    assert sorted(caption.caption for caption in read_captions(tmp_path / "evil.tar")) == ["abs", "out"]
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_truncated_archive_gives_what_it_holds(tmp_path: Path) -> None:
    whole = make_tar(tmp_path / "a.tar", {f"{n}.txt": b"caption %d" % n for n in range(20)})
    content = whole.read_bytes()
    whole.write_bytes(content[: 512 * 21 + 100])
    read = read_captions(whole)
    assert 8 <= len(list(read)) <= 11
    assert "ends early" in next(iter(read.reasons)) or read.rejected_count == 0
    (tmp_path / "no.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(UnreadableFile, match="tar"):
        read_captions(tmp_path / "no.tar")


IMAGES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(*captions: object) -> pa.Table:
    texts = pa.array(list(captions))
    return pa.table({"image": pa.array([{"bytes": b"x", "path": None}] * len(captions), IMAGES), "text": texts})


def test_parquet_of_the_hub_keeps_its_split_and_names_its_images(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(table("one", "two"), tmp_path / "data" / "train-00000-of-00001.parquet")
    pq.write_table(table("three"), tmp_path / "data" / "test-00000-of-00001.parquet")
    assert [(caption.caption, caption.image, dict(caption.meta)) for caption in read_captions(tmp_path)] == [
        ("three", "data/test-00000-of-00001.parquet/0", {"split": "test"}),
        ("one", "data/train-00000-of-00001.parquet/0", {"split": "train"}),
        ("two", "data/train-00000-of-00001.parquet/1", {"split": "train"})]


def test_what_save_to_disk_wrote_is_read_without_the_library(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    write(tmp_path / "dataset_dict.json", {"splits": ["train"]})
    references = table(["one", "two"], ["three", "four"])
    with pa.OSFile(str(tmp_path / "train" / "data-00000-of-00001.arrow"), "wb") as file:
        with pa.ipc.new_stream(file, references.schema) as stream:
            stream.write_table(references, max_chunksize=1)
    found = [(caption.caption, caption.image, dict(caption.meta)) for caption in read_captions(tmp_path)]
    name = "train/data-00000-of-00001.arrow"
    assert found == [("one", f"{name}/0", {"split": "train", "reference": 0}),
                     ("two", f"{name}/0", {"split": "train", "reference": 1}),
                     ("three", f"{name}/1", {"split": "train", "reference": 0}),
                     ("four", f"{name}/1", {"split": "train", "reference": 1})]


def test_a_damaged_data_set_is_refused_by_file(tmp_path: Path) -> None:
    write(tmp_path / "state.json", {})
    with pytest.raises(UnreadableFile, match="without a parquet"):
        read_captions(tmp_path)
    (tmp_path / "data-00000-of-00001.arrow").write_bytes(b"nonsense")
    with pytest.raises(UnreadableFile, match=r"data-00000-of-00001\.arrow"):
        read_captions(tmp_path)


def test_a_folder_of_images_has_its_captions_beside_them(tmp_path: Path) -> None:
    for name in ("a.jpg", "deep/b.png", "c.webp", "d.jpg", "e.jpg", ".hidden.jpg", "notes.md"):
        write(tmp_path / name, "x")
    write(tmp_path / "a.txt", "a cat\n")
    (tmp_path / "deep" / "b.caption").write_bytes("ein Käfer".encode("cp1252"))
    write(tmp_path / "c.json", {"prompt": "three"})
    (tmp_path / "outside.txt").parent.joinpath("d.txt").symlink_to("/etc/hostname")
    read = read_captions(tmp_path)
    assert [(caption.id, caption.caption, caption.image) for caption in read] == [
        ("a", "a cat", "a.jpg"), ("c", "three", "c.webp"), ("deep/b", "ein Käfer", "deep/b.png")]
    assert {row.file: row.reason for row in read.rejected} == {
        "d.jpg": "a caption file that leads out of the folder", "e.jpg": "an image without a caption file beside it"}


def test_a_folder_with_its_own_list_is_read_by_it(tmp_path: Path) -> None:
    write(tmp_path / "metadata.jsonl", '{"file_name": "a.jpg", "text": "a cat"}\n')
    write(tmp_path / "a.jpg", "x")
    assert [(caption.caption, caption.image) for caption in read_captions(tmp_path)] == [("a cat", "a.jpg")]


def test_folders_and_files_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="folder without"):
        read_captions(tmp_path)
    write(tmp_path / "images" / "a.jpg", "x")
    with pytest.raises(EmptyInput, match="beside"):
        read_captions(tmp_path / "images")
    os.mkfifo(tmp_path / "images" / "b.jpg")  # is never opened
    with pytest.raises(EmptyInput):
        read_captions(tmp_path / "images")
