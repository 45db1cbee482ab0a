"""Images inside archives: found by the names the caption readers give, bounded, and never outside the folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthvlm_ui.captions import read_captions
from synthvlm_ui.service.real_images.real_sources import ImageFolder, RefusedImage

IMAGES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    with tarfile.open(images / "a.tar", "w") as tar:
        for name, content in (("1.jpg", b"one"), ("1.txt", b"a cat"), ("d/2.png", b"two"), ("d/2.txt", b"a dog")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    rows = [{"bytes": b"image %d" % number, "path": None} for number in range(5)]
    table = pa.table({"image": pa.array([*rows, None], IMAGES), "text": [f"caption {n}" for n in range(6)]})
    pq.write_table(table, images / "a.parquet", row_group_size=2)
    with pa.OSFile(str(images / "b.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=4)
    (tmp_path / "outside.tar").write_bytes((images / "a.tar").read_bytes())
    return images


def test_every_image_a_reader_names_is_found(folder: Path) -> None:
    source = ImageFolder(folder)
    named = {caption.caption: source.read(caption.image or "") for caption in read_captions(folder / "a.tar")}
    assert named == {"a cat": b"one", "a dog": b"two"}
    for caption in read_captions(folder):
        number = int(caption.caption.split()[1])
        if number < 5:
            assert source.read(caption.image or "") == b"image %d" % number
    assert source.read("b.arrow/4") == b"image 4"


@pytest.mark.parametrize("name", [
    "a.tar/none.jpg", "a.tar/../a.tar", "none.tar/1.jpg", "../outside.tar/1.jpg", "a.parquet/6", "a.parquet/-1",
    "a.parquet/x", "a.parquet/5", "a.parquet/", "a.tar/", "/etc/passwd", "a.parquet/\u00b2",
])
def test_what_is_not_there_or_outside_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(RefusedImage):
        if ImageFolder(folder).read(name) in (b"", (folder / name.rstrip("/")).read_bytes()):
            raise RefusedImage("the archive itself is no image")


def test_an_archive_that_cannot_be_read_is_refused(folder: Path) -> None:
    for name in ("broken.tar", "broken.parquet", "broken.arrow"):
        (folder / name).write_bytes(b"nonsense" * 200)
        with pytest.raises(RefusedImage, match=r"archive|member"):
            ImageFolder(folder).read(f"{name}/1")
