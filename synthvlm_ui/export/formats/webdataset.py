"""WebDataset tars: per pair an image, its caption (.txt) and its facts (.json) under one key, as open_clip reads."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.checking import Findings, Pair, check_caption
from synthvlm_ui.export.formats.form import Entry, Form, data_files, safe_stem
from synthvlm_ui.export.items import ExportOptions, Split
from synthvlm_ui.export.records_json import flat_row, line
from synthvlm_ui.export.staging import Staging

FOLDER = "data"
_IMAGES = ("webp", "png", "jpg", "jpeg")
_MAX_TEXT_BYTES = 16 * 2**20


class _Shards:
    """The tars of one split: a new one after every ``pairs`` pairs."""

    def __init__(self, staging: Staging, split: Split, pairs: int) -> None:
        self._staging, self._split, self._most = staging, split, pairs
        self._tar: tarfile.TarFile | None = None
        self._file: Any = None
        self._name, self._pairs, self._shards = "", 0, 0
        staging.open_files.append(self)

    def add(self, members: dict[str, bytes]) -> None:
        if self._tar is None:
            self._name = f"{FOLDER}/{self._split}-{self._shards:06d}.tar"
            self._file = (self._staging.path / self._name).open("xb")
            self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.USTAR_FORMAT)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            self._tar.addfile(info, io.BytesIO(data))
        self._pairs += 1
        if self._pairs == self._most:
            self.close()

    def close(self) -> None:
        if self._tar is None:
            return
        self._tar.close()
        self._file.close()
        self._staging.record(self._name)
        self._tar, self._pairs, self._shards = None, 0, self._shards + 1

    def abandon(self) -> None:
        """Lets go of a tar that will not be finished."""
        if self._file is not None:
            self._file.close()


class WebDatasetWriter:
    """Tars of ``shard_pairs`` pairs; no times or owners in their headers, so that equal pairs give equal files."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        (staging.path / FOLDER).mkdir()
        self._shards = {split: _Shards(staging, split, options.shard_pairs) for split in options.splits}

    def add(self, entry: Entry) -> None:
        # A key ends at the first dot of the name.
        key = safe_stem(entry.id).replace(".", "_")
        facts = {name: value for name, value in flat_row(entry.item).items() if name != "image"} | {"id": entry.id}
        self._shards[entry.split].add({
            f"{key}.{entry.picture.suffix}": entry.picture.data,
            f"{key}.txt": entry.item.candidate.caption.encode("utf-8"),
            f"{key}.json": line(facts).encode("utf-8")})

    def close(self) -> None:
        for shards in self._shards.values():
            shards.close()


def check(path: Path, findings: Findings) -> Iterator[Pair]:
    """Every key of every tar has an image, a caption and readable facts, one after the other, and is there once."""
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    tars = sorted(folder.glob("*.tar")) if folder.is_dir() else [path]
    if not tars:
        raise UnreadableFile("no tar file", where=str(folder), fix="Name the folder of the export.")
    seen: set[str] = set()
    for file in tars:
        try:
            for key, members in _samples(file, findings):
                findings.records += 1
                yield from _check_sample(f"{file.name}, {key[:40]}", key, members, seen, findings)
        except (tarfile.TarError, OSError, EOFError) as problem:
            findings.error(f"{file.name}: cannot be read as tar: {problem}")


def _samples(file: Path, findings: Findings) -> Iterator[tuple[str, dict[str, bytes]]]:
    key, members = "", dict[str, bytes]()
    with tarfile.open(file, "r:") as tar:
        for info in tar:
            parts = info.name.replace("\\", "/").split("/")
            if not info.isfile() or ".." in parts or info.name.startswith("/"):
                findings.error(f"{file.name}: {info.name!r} is no plain file inside the tar")
                continue
            stem, _, suffix = info.name.partition(".")
            if suffix not in _IMAGES and info.size > _MAX_TEXT_BYTES:
                findings.error(f"{file.name}: {info.name!r} is too large")
                continue
            if members and stem != key:
                yield key, members
                members = {}
            source = tar.extractfile(info)
            key, members[suffix] = stem, source.read() if source else b""
    if members:
        yield key, members


def _check_sample(place: str, key: str, members: dict[str, bytes], seen: set[str],
                  findings: Findings) -> Iterator[Pair]:
    if key in seen:
        findings.error(f"{place}: key is there twice")
    seen.add(key)
    try:
        check_caption(members.get("txt", b"").decode("utf-8"), place, findings)
        if "json" in members:
            json.loads(members["json"])
    except (ValueError, RecursionError):
        findings.error(f"{place}: caption or facts cannot be read")
    images = [data for suffix, data in members.items() if suffix in _IMAGES]
    if len(images) != 1:
        findings.error(f"{place}: {len(images)} images instead of one")
    yield from (Pair(place, data) for data in images)


FORM = Form(
    note="tars of image, caption and facts, for open_clip, WebDataset and streaming loaders",
    use="In open_clip: `--train-data 'data/train-{000000..000009}.tar' --dataset-type webdataset` with the tars that "
        "are there; in webdataset: `WebDataset(urls).decode(\"pil\").to_tuple(\"webp;png;jpg\", \"txt\")`.",
    files="`data/`", writer=WebDatasetWriter, check=check,
    card_head=lambda splits: data_files("data/{split}-*.tar", splits))
