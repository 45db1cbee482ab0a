"""Exports are read back by programs that are not ours, and give the same pairs."""

import gc
import json

import numpy as np
import pytest
from PIL import Image
from test_export_writing import items

from synthvlm_ui.export import ExportOptions, export, validate

COUNT = 10
CAPTIONS = {f"{number:016x}": f"A cat, number {number}." for number in range(COUNT)}


# webdataset leaves tars open for the garbage collector, which Python reports.
forgets_its_files = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture(autouse=True)
def collected():
    yield
    gc.collect()


def pixels(image) -> bytes:
    return np.asarray(image.convert("RGB")).tobytes()


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[str, bytes]]:
    from io import BytesIO

    return {one.candidate.id: (one.candidate.caption, pixels(Image.open(BytesIO(one.image)))) for one in items(COUNT)}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()
    return lambda *args, **more: datasets.load_dataset(*args, cache_dir=str(tmp_path / "cache"), **more)


@pytest.mark.parametrize(("form", "caption"), [("imagefolder", "text"), ("parquet", "caption")])
def test_hugging_face_datasets_reads_splits_images_and_captions(tmp_path, offline, expected, form, caption):
    options = ExportOptions(validation=0.4, shard_pairs=3)
    report = export(form, items(COUNT), tmp_path / "out", options=options)
    loaded = offline(str(tmp_path / "out"))
    assert {name: len(part) for name, part in loaded.items()} == report.splits
    rows = [row for part in loaded.values() for row in part]
    assert {row["id"]: (row[caption], pixels(row["image"])) for row in rows} == expected
    assert rows[0]["clip_cosine"] == pytest.approx(0.25 + int(rows[0]["id"], 16) / 1000)
    captions = [{row["caption_id"] for row in part} for part in loaded.values()]
    assert len(captions) == 2 and not captions[0] & captions[1]


def test_hugging_face_datasets_reads_the_tars(tmp_path, offline, expected):
    export("webdataset", items(COUNT), tmp_path / "out", options=ExportOptions(shard_pairs=4))
    rows = list(offline(str(tmp_path / "out"), split="train"))
    assert {row["__key__"]: (row["txt"], pixels(row["webp"])) for row in rows} == expected


@forgets_its_files
def test_webdataset_reads_the_tars(tmp_path, expected):
    webdataset = pytest.importorskip("webdataset")
    export("webdataset", items(COUNT), tmp_path / "out", options=ExportOptions(shard_pairs=4))
    urls = sorted(str(path) for path in (tmp_path / "out/data").glob("*.tar"))
    assert [url[-16:] for url in urls] == [f"train-{number:06d}.tar" for number in range(3)]
    source = webdataset.WebDataset(urls, shardshuffle=False).decode("pil")
    rows = list(source.to_tuple("__key__", "webp;png", "txt", "json"))
    assert {key: (text, pixels(image)) for key, image, text, _ in rows} == expected
    assert rows[3][3]["seed"] == 3


@forgets_its_files
def test_open_clip_s_preprocessing_pipeline_reads_the_tars(tmp_path, expected):
    """The choice of image and text that open_clip's training data module makes."""
    webdataset = pytest.importorskip("webdataset")
    export("webdataset", items(COUNT), tmp_path / "out",
           options=ExportOptions(image_format="jpeg", size_px=16, fit="crop"))
    pipeline = webdataset.DataPipeline(
        webdataset.SimpleShardList([str(tmp_path / "out/data/train-000000.tar")]), webdataset.tarfile_to_samples(),
        webdataset.decode("pilrgb"), webdataset.rename(image="jpg;png;jpeg;webp", text="txt"))
    rows = list(pipeline)
    assert [row["text"] for row in rows] == [expected[row["__key__"]][0] for row in rows] and len(rows) == COUNT
    assert {row["image"].size for row in rows} == {(16, 16)}


def test_llama_factory_finds_its_files_the_way_its_loader_does(tmp_path, expected):
    """As its loader resolves them: dataset_info.json -> file_name -> columns, images under media_dir."""
    export("llama-factory", items(COUNT), tmp_path / "out", options=ExportOptions(validation=0.4))
    info = json.loads((tmp_path / "out/dataset_info.json").read_text())
    found = {}
    for entry in info.values():
        columns, tags = entry["columns"], entry["tags"]
        for record in json.loads((tmp_path / "out" / entry["file_name"]).read_text()):
            user, assistant = record[columns["messages"]]
            assert (user[tags["role_tag"]], assistant[tags["role_tag"]]) == (tags["user_tag"], tags["assistant_tag"])
            images = record[columns["images"]]
            assert isinstance(images, list) and user[tags["content_tag"]].count("<image>") == len(images) == 1
            with Image.open(tmp_path / "out" / images[0]) as image:
                found[record["id"]] = (assistant[tags["content_tag"]], pixels(image))
    assert found == expected and set(info) == {"synthvlm", "synthvlm_validation"}


@pytest.mark.parametrize("form", ["llava", "llama-factory", "imagefolder", "webdataset", "parquet", "jsonl"])
def test_repeats_splits_and_squares_are_valid_in_every_format(tmp_path, form):
    options = ExportOptions(validation=0.4, repeats=3, size_px=20, fit="pad", image_format="png", shard_pairs=4)
    report = export(form, items(COUNT), tmp_path / "out", options=options)
    assert report.written == COUNT and sum(report.splits.values()) == COUNT
    checked = validate(tmp_path / "out", form)
    assert (checked.ok, checked.errors, checked.warnings) == (True, [], [])
    assert checked.records == 3 * report.splits["train"] + report.splits["validation"]
    again = export(form, items(COUNT), tmp_path / "again", options=options)
    assert again.manifest_sha256 == report.manifest_sha256
