"""One small sound file of every format that the app reads, and ways to spoil it. Everything follows from a seed."""

from __future__ import annotations

import csv
import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

MOST_BYTES = 2**21
CAPTIONS = ["a red car beside a blue house", "ein Käfer im Grünen", "two green frogs, \"quoted\"", "日本の城 at night"]


def sound_files() -> dict[str, bytes]:
    """The content of a sound file by its name; a name with a slash lies in a folder that is imported as a whole."""
    rows = [{"id": f"row-{number}", "caption": text, "image": f"{number}.png", "n": number * 1.5}
            for number, text in enumerate(CAPTIONS)]
    llava = [{"id": row["id"], "image": row["image"],
              "conversations": [{"from": "human", "value": "<image>\nWhat is this?"},
                                {"from": "gpt", "value": row["caption"]}]} for row in rows]
    coco = {"images": [{"id": 1, "file_name": "1.png"}],
            "annotations": [{"image_id": 1, "id": 7, "caption": text} for text in CAPTIONS]}
    karpathy = {"images": [{"filename": "1.jpg", "split": "test", "cocoid": 5, "sentids": [1, 2],
                            "sentences": [{"raw": text, "sentid": 1} for text in CAPTIONS]}]}
    return {
        "lines.txt": "\n".join(CAPTIONS).encode(),
        "wide.txt": "\n".join(CAPTIONS).encode("utf-16"),
        "table.csv": _table(rows, ","),
        "table.tsv": _table(rows, "\t"),
        "rows.json": json.dumps(rows, ensure_ascii=False).encode(),
        "llava.json": json.dumps(llava).encode(),
        "coco.json": json.dumps(coco).encode(),
        "karpathy.json": json.dumps(karpathy).encode(),
        "rows.jsonl": "\n".join(json.dumps(row) for row in rows).encode(),
        "rows.parquet": _parquet(rows),
        "pairs.tar": _tar({f"{number}.{ending}": content for number, text in enumerate(CAPTIONS)
                           for ending, content in (("txt", text.encode()), ("png", picture("PNG")))}),
        "results.token": "".join(f"{n}.jpg#{n}\t{text}\n" for n, text in enumerate(CAPTIONS)).encode(),
        "bars.csv": ("image_name| comment_number| comment\n"
                     + "".join(f"{n}.jpg| {n}| {text}\n" for n, text in enumerate(CAPTIONS))).encode(),
        "hub/data-00000-of-00001.arrow": _arrow(rows),
        "folder/1.txt": CAPTIONS[0].encode(),
        "imagefolder/metadata.jsonl": json.dumps({"file_name": "1.png", "text": CAPTIONS[1]}).encode(),
    }


def sound_pictures() -> dict[str, bytes]:
    """A picture in every format that real images may have."""
    return {f"picture.{form.lower()}": picture(form) for form in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")}


def sound_tables() -> dict[str, bytes]:
    """Tables that hold their images themselves, and a matrix of embeddings."""
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": picture("PNG"), "path": None}] * 3, struct), "text": CAPTIONS[:3]})
    arrow, parquet, matrix = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(arrow, table.schema) as stream:
        stream.write_table(table)
    pq.write_table(table, parquet)
    np.save(matrix, np.ones((6, 4), np.float32))
    return {"images.arrow": arrow.getvalue(), "images.parquet": parquet.getvalue(), "rows.npy": matrix.getvalue()}


def beside(name: str) -> dict[str, bytes]:
    """What has to stand beside a file for its folder to be taken for what it is."""
    return {"folder/1.txt": {"folder/1.png": picture("PNG")},
            "hub/data-00000-of-00001.arrow": {"hub/state.json": b"{}"},
            "imagefolder/metadata.jsonl": {"imagefolder/1.png": picture("PNG")}}.get(name, {})


def picture(form: str, side_px: int = 24) -> bytes:
    """A small picture of noise in any of Pillow's formats."""
    pixels = np.random.default_rng(3).integers(0, 255, (side_px, side_px, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def spoil(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """One to four faults of the kinds that broken disks, cut downloads, wrong programs and attackers make."""
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(FAULTS)(content, rng, others)[:MOST_BYTES]
    return content


def place(folder: Path, name: str, content: bytes) -> Path:
    """Writes a file and its neighbours; returns what is to be imported."""
    for each, what in {**beside(name), name: content}.items():
        path = folder / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(what)
    return folder / name.partition("/")[0]


def _flip(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(rng.randint(1, 16)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _lose_middle(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    first, second = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + content[second:]


def _insert(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(PIECES) + content[at:]


def _overwrite(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    piece, at = rng.choice(PIECES), rng.randrange(len(content) + 1)
    return content[:at] + piece + content[at + len(piece):]


def _repeat(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    first, second = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:second] + content[first:second] * rng.randint(1, 200) + content[second:]


def _splice(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1):]


FAULTS: list[Callable[[bytes, random.Random, list[bytes]], bytes]] = [
    _flip, _flip, _cut, _lose_middle, _insert, _insert, _overwrite, _repeat, _splice]
PIECES = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\r\n\r\n", b'"', b"'", b"[" * 5000,
    b"{" * 300, b"]", b"}", b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"null", b"\\ud800", b"\\u0000",
    b"<script>", b"${x}", b"{{x}}", b"../../", b"/etc/passwd\0", b"\t" * 50, b"," * 3000, b"\x1b[2J",
    b"\xe2\x80\xae", b"PAR1", b"ARROW1", b"PK\x03\x04", b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"A" * 70_000, "é".encode() * 999, b" ", b"#", b"|",
]


def _table(rows: list[dict[str, object]], delimiter: str) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, object]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def _arrow(rows: list[dict[str, object]]) -> bytes:
    buffer = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    return buffer.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
