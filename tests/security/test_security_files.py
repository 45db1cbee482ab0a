"""Files that were made to do harm: bombs, links, names that climb, pickles, formulas."""

from __future__ import annotations

import csv
import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from synthvlm_ui.captions import read_captions
from synthvlm_ui.comparison import RefusedImage, read_real_image
from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.errors import SynthVLMError, UserError
from synthvlm_ui.service.comparison.comparison_figures import map_csv
from synthvlm_ui.service.diversity.diversity_sets import embeddings_of_files
from synthvlm_ui.service.real_images.real_sources import ImageFolder

MEMORY_BYTES = 3 * 2**30


def in_little_memory(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs code in a process that may have MEMORY_BYTES; a bomb that goes off ends it with MemoryError or a signal."""
    limit = (MEMORY_BYTES, MEMORY_BYTES)
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=REPOSITORY, text=True, timeout=120,
                          capture_output=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))


READ = """
import sys
from synthvlm_ui.captions import read_captions
from synthvlm_ui.errors import UserError
try:
    read = read_captions(sys.argv[1])
    print("read", sum(1 for _ in read), dict(read.reasons))
except UserError as error:
    print("refused", error)
"""


@pytest.mark.parametrize(("text_bytes", "rows", "said"), [
    (4 * 2**20, 5_000, "longer than"),  # 20 GB when unfolded, each caption too long
    (24 * 2**20, 5_000, "refused a text of 24 MiB"),
])
def test_a_parquet_bomb(tmp_path: Path, text_bytes: int, rows: int, said: str) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["a" * text_bytes]))
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"caption": column}), path, compression="zstd", dictionary_pagesize_limit=2**27)
    assert path.stat().st_size < 100_000
    ran = in_little_memory(READ, path)
    assert ran.returncode == 0, ran.stderr[-500:]
    assert said in ran.stdout


def test_a_tar_of_zeros_and_a_text_member_without_end(tmp_path: Path) -> None:
    with (tmp_path / "bomb.tar").open("wb") as file:
        member = tarfile.TarInfo("1.txt")
        member.size = 8 * 2**30  # sparse: it takes no room
        file.write(member.tobuf())
        file.truncate(member.size + 2048)
    assert "refused" in in_little_memory(READ, tmp_path / "bomb.tar").stdout


def test_an_archive_inside_a_caption_file_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("captions.txt", b"a" * 2**26)
    (tmp_path / "captions.txt").write_bytes((tmp_path / "bomb.zip").read_bytes())
    for name in ("bomb.zip", "captions.txt"):
        with pytest.raises(UserError):
            read_captions(tmp_path / name)
    gzipped = tarfile.open(tmp_path / "a.tar", "w:gz")
    gzipped.close()
    with pytest.raises(UserError, match="tar"):
        list(read_captions(tmp_path / "a.tar"))


def png_of(width: int, height: int, *, text: bytes = b"") -> bytes:
    """A PNG that says its size and holds far less."""
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"zTXt", b"Comment\0\0" + text) if text else b"",
             chunk(b"IDAT", zlib.compress(b"\0" * min((width * 3 + 1) * height, 2**24))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("content", [png_of(20_000, 20_000), png_of(64, 64, text=zlib.compress(b"a" * 2**28, 9)),
                                     png_of(2**31 - 1, 1), png_of(1, 60_000)])
def test_a_picture_bomb(content: bytes) -> None:
    assert len(content) < 2_000_000
    with pytest.raises(RefusedImage):
        read_real_image(content)


@pytest.mark.parametrize("name", [
    "../secret.png", "/etc/passwd", "..\\secret.png", "link.png", "folder/../../secret.png", "out/secret.png",
    "fifo.png", "file:///etc/passwd", "http://127.0.0.1:1/a.png", "a.tar/../../secret.png", "secret.png\0.png",
    "//etc/passwd", "C:\\secret.png"])
def test_the_name_of_a_real_image_leads_out_of_no_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "images"
    (inside / "folder").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(tmp_path / "secret.png")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "out").symlink_to(tmp_path)
    os.mkfifo(inside / "fifo.png")
    with tarfile.open(inside / "a.tar", "w") as tar:
        tar.add(tmp_path / "secret.png", "1.png")
    with pytest.raises(RefusedImage):
        ImageFolder(inside).read(name)


class Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch harm-was-done",)


@pytest.mark.parametrize("content", [
    pickle.dumps(np.ones((4, 4))), pickle.dumps(Harm()), b"\x93NUMPY\x01\x00", b"PK\x03\x04 an npz"])
def test_a_pickle_is_no_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.npy").write_bytes(content)
    with pytest.raises(UserError):
        embeddings_of_files([str(tmp_path / "rows.npy")], ["rows"])
    assert not (tmp_path / "harm-was-done").exists()


def test_a_matrix_of_objects_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "rows.npy", np.array([[Harm()]], dtype=object), allow_pickle=True)
    with pytest.raises(UserError):
        embeddings_of_files([str(tmp_path / "rows.npy")], ["rows"])
    assert not (tmp_path / "harm-was-done").exists()


def test_a_model_of_pickles_is_refused(tmp_path: Path) -> None:
    from synthvlm_ui.backends import create_generator

    unet = tmp_path / "pipeline" / "unet"
    unet.mkdir(parents=True)
    (tmp_path / "pipeline" / "model_index.json").write_text(
        '{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}', encoding="utf-8")
    (unet / "config.json").write_text("{}", encoding="utf-8")
    (unet / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(SynthVLMError, match="pickled weights only"):
        create_generator(str(tmp_path / "pipeline"), "cpu")


def test_no_cell_of_a_table_is_a_formula() -> None:
    names = ["=HYPERLINK(1)", "+1", "-1+cmd", "@SUM(A1)", "\tx", "plain"]
    rows = list(csv.reader(io.StringIO(map_csv({"points": {name: [(1.0, -2.0)] for name in names}}).decode())))
    assert [row[0] for row in rows[1:]] == ["'=HYPERLINK(1)", "'+1", "'-1+cmd", "'@SUM(A1)", "'\tx", "plain"]
    assert {row[2] for row in rows[1:]} == {"-2.0"}, "a negative number is a number"
