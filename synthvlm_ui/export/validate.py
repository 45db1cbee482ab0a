"""Checks a folder of training data as its readers would, before they do.

Knows the formats' rules and nothing of who wrote the folder: data of other programs is checked alike. Images and
hashes are read in threads; every image is decoded, since one that does not decode ends an epoch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from synthvlm_ui.errors import UnknownName, UnreadableFile
from synthvlm_ui.export.instructions import IMAGE_TOKEN
from synthvlm_ui.export.items import Unfit
from synthvlm_ui.export.pictures import open_picture
from synthvlm_ui.export.staging import MANIFEST
from synthvlm_ui.export.writers import IMAGES, JSONL_FILE, LLAVA_FILE, PARQUET_FOLDER

MAX_LISTED = 100
_THREADS = min(8, 2 * (os.cpu_count() or 1))
_OUR_OWN_JSON = (MANIFEST, "selection.json")
Hashes = Mapping[str, str]


@dataclass(frozen=True)
class ValidationReport:
    """``errors`` stop a trainer or harm it silently, ``warnings`` are worth a look; at most 100 of each are listed."""

    ok: bool
    errors: list[str]
    warnings: list[str]
    records: int = 0


@dataclass
class _Findings:
    """Messages by kind: past the limit they are only counted."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    records: int = 0

    def error(self, message: str) -> None:
        self.counts["errors"] += 1
        if len(self.errors) < MAX_LISTED:
            self.errors.append(message)

    def warn(self, message: str) -> None:
        self.counts["warnings"] += 1
        if len(self.warnings) < MAX_LISTED:
            self.warnings.append(message)

    def report(self) -> ValidationReport:
        for kind, messages in (("errors", self.errors), ("warnings", self.warnings)):
            if self.counts[kind] > MAX_LISTED:
                messages.append(f"and {self.counts[kind] - MAX_LISTED} more")
        return ValidationReport(not self.errors, self.errors, self.warnings, self.records)


@dataclass(frozen=True)
class _Pair:
    """One record as far as its format made it readable: a place for messages, and a file or bytes for its image."""

    place: str
    image: Path | bytes | None = None


def validate(path: str | Path, form: str) -> ValidationReport:
    """Checks a folder, or its main file, against the rules of a format.

    Raises: UnknownName (format), UnreadableFile (nothing there that could be of this format).
    """
    if form not in _CHECKS:
        raise UnknownName.of("format", form, list(_CHECKS))
    path = Path(path)
    if not path.exists():
        raise UnreadableFile("no such file or folder", where=str(path), fix="Check the path.")
    findings = _Findings()
    folder = path if path.is_dir() else path.parent
    hashes = _manifest(folder, findings) if path.is_dir() else {}
    pairs = _CHECKS[form](path, findings)
    checked = _check_images(pairs, folder, hashes, findings)
    _check_files(folder, {name: digest for name, digest in hashes.items() if name not in checked}, findings)
    if not findings.records and not findings.errors:
        findings.error("there is no record")
    return findings.report()


def _check_llava(path: Path, findings: _Findings) -> Iterator[_Pair]:
    """LLaVA's own assertions, and what would harm its training without stopping it."""
    file = _main_file(path, LLAVA_FILE)
    records = _load_json(file)
    if not isinstance(records, list):
        findings.error(f"{file.name}: not a JSON array")
        return
    root = file.parent / IMAGES if (file.parent / IMAGES).is_dir() else file.parent
    seen: set[str] = set()
    for number, record in enumerate(records, 1):
        findings.records += 1
        if not isinstance(record, dict):
            findings.error(f"record {number}: not an object")
            continue
        place = _place(number, record)
        _check_id(record, place, seen, findings)
        _check_turns(record.get("conversations"), place, findings)
        if "image" not in record:
            findings.error(f"{place}: no image")
            continue
        yield _Pair(place, _image_path(record["image"], root, place, findings))


def _check_turns(turns: Any, place: str, findings: _Findings) -> None:
    if not isinstance(turns, list) or len(turns) != 2:
        count = len(turns) if isinstance(turns, list) else "no"
        findings.error(f"{place}: {count} turns, LLaVA's first stage asserts 2")
        return
    if not all(isinstance(turn, dict) and isinstance(turn.get("value"), str) for turn in turns):
        findings.error(f"{place}: a turn without a text")
        return
    if [turn.get("from") for turn in turns] != ["human", "gpt"]:
        findings.error(f"{place}: turns are not from human, then gpt")
    tokens = turns[0]["value"].count(IMAGE_TOKEN)
    if tokens != 1:
        findings.error(f"{place}: {tokens} times {IMAGE_TOKEN} in the first turn, not once")
    if IMAGE_TOKEN in turns[1]["value"]:
        findings.error(f"{place}: {IMAGE_TOKEN} in the caption")
    if not turns[1]["value"].strip():
        findings.error(f"{place}: empty caption")


def _check_jsonl(path: Path, findings: _Findings) -> Iterator[_Pair]:
    file = _main_file(path, JSONL_FILE)
    seen: set[str] = set()
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise UnreadableFile("is not UTF-8", where=str(file), fix="Save it as UTF-8.") from None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        findings.records += 1
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            findings.error(f"line {number}: not valid JSON")
            continue
        if not isinstance(record, dict):
            findings.error(f"line {number}: not an object")
            continue
        place = _place(number, record)
        _check_id(record, place, seen, findings)
        _check_caption(record.get("caption"), place, findings)
        yield _Pair(place, _image_path(record.get("image"), file.parent, place, findings))


def _check_parquet(path: Path, findings: _Findings) -> Iterator[_Pair]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = path / PARQUET_FOLDER if (path / PARQUET_FOLDER).is_dir() else path
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else [path]
    if not files:
        raise UnreadableFile("no parquet file", where=str(folder), fix="Name the folder of the export.")
    seen: set[str] = set()
    for file in files:
        try:
            table = pq.ParquetFile(file)
            names = table.schema_arrow.names
            missing = [name for name in ("id", "caption", "image") if name not in names]
            if missing:
                findings.error(f"{file.name}: no column {', '.join(missing)}")
                findings.records += table.metadata.num_rows
                continue
            for batch in table.iter_batches(batch_size=256, columns=["id", "caption", "image"]):
                for row in batch.to_pylist():
                    findings.records += 1
                    place = _place(findings.records, row)
                    _check_id(row, place, seen, findings)
                    _check_caption(row["caption"], place, findings)
                    data = row["image"].get("bytes") if isinstance(row["image"], dict) else row["image"]
                    if not isinstance(data, bytes):
                        findings.error(f"{place}: no image")
                    else:
                        yield _Pair(place, data)
        except (pa.ArrowException, OSError) as problem:
            findings.error(f"{file.name}: cannot be read as parquet: {str(problem).splitlines()[0]}")


def _check_id(record: Mapping[str, Any], place: str, seen: set[str], findings: _Findings) -> None:
    identity = record.get("id")
    if not isinstance(identity, str) or not identity:
        findings.error(f"{place}: id is not a text")
    elif identity in seen:
        findings.error(f"{place}: id is there twice")
    else:
        seen.add(identity)


def _check_caption(caption: Any, place: str, findings: _Findings) -> None:
    if not isinstance(caption, str) or not caption.strip():
        findings.error(f"{place}: empty caption")


def _image_path(name: Any, root: Path, place: str, findings: _Findings) -> Path | None:
    """Where the image lies; None, and an error, for a name that leaves the folder or is no name."""
    if not isinstance(name, str) or not name or "\0" in name:
        findings.error(f"{place}: image is not a text")
        return None
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name[0] in "/\\" or ".." in parts or (len(name) > 1 and name[1] == ":"):
        findings.error(f"{place}: image {name!r} leads out of the folder")
        return None
    return root / name


def _check_images(pairs: Iterable[_Pair], folder: Path, hashes: Hashes, findings: _Findings) -> set[str]:
    """Decodes every image; returns the files whose hash was compared on the way."""
    shapes, checked = Counter[str](), set[str]()

    def check(pair: _Pair) -> tuple[str | None, bool, str | None]:
        """(what is wrong, whether it is square, the file whose hash agreed)"""
        data, name = pair.image, None
        if isinstance(data, Path):
            try:
                content = data.read_bytes()
            except OSError as problem:
                return f"image {data.name}: {problem.strerror or problem}", True, None
            name = data.relative_to(folder).as_posix() if data.is_relative_to(folder) else ""
            if name in hashes and hashlib.sha256(content).hexdigest() != hashes[name]:
                return f"image {name}: not the file of the manifest", True, name
            data = content
        try:
            with open_picture(data or b"") as image:
                image.convert("RGB")
                return None, image.width == image.height, name
        except Unfit as reason:
            return str(reason), True, name
        except (OSError, ValueError, SyntaxError) as problem:
            return f"image does not decode: {problem}", True, name

    with ThreadPoolExecutor(_THREADS) as pool:
        for batch in _batches((pair for pair in pairs if pair.image is not None), 64 * _THREADS):
            for pair, (wrong, is_square, name) in zip(batch, pool.map(check, batch), strict=True):
                if wrong:
                    findings.error(f"{pair.place}: {wrong}")
                shapes["square" if is_square else "other"] += 1
                if name:
                    checked.add(name)
    if shapes["other"]:
        findings.warn(f"{shapes['other']} images are not square; LLaVA's first stage crops them to their middle")
    return checked


def _check_files(folder: Path, hashes: Hashes, findings: _Findings) -> None:
    """Compares the files that are not images of records with the manifest."""

    def wrong(name: str) -> str | None:
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as problem:
            return f"{name}: in the manifest, but {problem.strerror or problem}"
        return None if digest == hashes[name] else f"{name}: not the file of the manifest"

    with ThreadPoolExecutor(_THREADS) as pool:
        for message in pool.map(wrong, hashes):
            if message:
                findings.error(message)


def _manifest(folder: Path, findings: _Findings) -> dict[str, str]:
    """File to SHA-256 of the manifest, {} without one; files on the disk that it does not list are a warning."""
    if not (folder / MANIFEST).is_file():
        return {}
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        hashes = {name: entry["sha256"] for name, entry in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        findings.error(f"{MANIFEST}: cannot be read")
        return {}
    inside = {name for name in hashes if not (name.startswith("/") or ".." in PurePosixPath(name).parts)}
    for name in sorted(hashes.keys() - inside):
        findings.error(f"{MANIFEST}: {name!r} leads out of the folder")
    found = {Path(root, name).relative_to(folder).as_posix() for root, _, names in os.walk(folder) for name in names}
    for name in sorted(found - hashes.keys() - {MANIFEST}):
        findings.warn(f"{name}: not in the manifest")
    return {name: hashes[name] for name in inside}


def _main_file(path: Path, usual: str) -> Path:
    if path.is_file():
        return path
    if (path / usual).is_file():
        return path / usual
    others = [file for file in sorted(path.glob(f"*{Path(usual).suffix}")) if file.name not in _OUR_OWN_JSON]
    if len(others) != 1:
        raise UnreadableFile(f"no {usual}", where=str(path), fix="Name the folder of the export, or its main file.")
    return others[0]


def _load_json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as problem:
        raise UnreadableFile(f"not valid JSON: {problem}", where=str(file), fix="Write it again.") from None
    except OSError as problem:
        raise UnreadableFile(f"cannot be read: {problem.strerror}", where=str(file), fix="Check its rights.") from None


def _place(number: int, record: Mapping[str, Any]) -> str:
    identity = record.get("id")
    return f"record {number} ({identity[:40]})" if isinstance(identity, str) and identity else f"record {number}"


def _batches(pairs: Iterator[_Pair], size: int) -> Iterator[list[_Pair]]:
    batch: list[_Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


_CHECKS: Mapping[str, Callable[[Path, _Findings], Iterator[_Pair]]] = {
    "llava": _check_llava, "jsonl": _check_jsonl, "parquet": _check_parquet}
