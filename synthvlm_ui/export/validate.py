"""Checks a folder of training data as its readers would, before they do.

Knows the rules of no format (each stands beside its writer) and nothing of who wrote the folder: data of other programs
is checked alike. Images and hashes are read in threads; every image is decoded, since one that does not decode ends an
epoch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from synthvlm_ui.errors import UnknownName, UnreadableFile
from synthvlm_ui.export.checking import Findings, Pair, ValidationReport
from synthvlm_ui.export.contents import leads_out
from synthvlm_ui.export.formats import FORMATS
from synthvlm_ui.export.items import Unfit
from synthvlm_ui.export.pictures import open_picture
from synthvlm_ui.export.staging import MANIFEST

_THREADS = min(8, 2 * (os.cpu_count() or 1))
Hashes = Mapping[str, str]


def validate(path: str | Path, form: str) -> ValidationReport:
    """Checks a folder, or its main file, against the rules of a format.

    Raises: UnknownName (format), UnreadableFile (nothing there that could be of this format).
    """
    if form not in FORMATS:
        raise UnknownName.of("format", form, list(FORMATS))
    path = Path(path)
    if not path.exists():
        raise UnreadableFile("no such file or folder", where=str(path), fix="Check the path.")
    findings = Findings()
    folder = path if path.is_dir() else path.parent
    hashes = _manifest(folder, findings) if path.is_dir() else {}
    pairs = FORMATS[form].check(path, findings)
    checked = _check_images(pairs, folder, hashes, findings)
    _check_files(folder, {name: digest for name, digest in hashes.items() if name not in checked}, findings)
    if not findings.records and not findings.errors:
        findings.error("there is no record")
    return findings.report()


def _check_images(pairs: Iterable[Pair], folder: Path, hashes: Hashes, findings: Findings) -> set[str]:
    """Decodes every image; returns the files whose hash was compared on the way."""
    shapes, checked = Counter[str](), set[str]()

    def check(pair: Pair) -> tuple[str | None, bool, str | None]:
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


def _check_files(folder: Path, hashes: Hashes, findings: Findings) -> None:
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


def _manifest(folder: Path, findings: Findings) -> dict[str, str]:
    """File to SHA-256 of the manifest, {} without one; files on the disk that it does not list are a warning."""
    if not (folder / MANIFEST).is_file():
        return {}
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        hashes = {name: entry["sha256"] for name, entry in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        findings.error(f"{MANIFEST}: cannot be read")
        return {}
    inside = {name for name in hashes if not leads_out(name)}
    for name in sorted(hashes.keys() - inside):
        findings.error(f"{MANIFEST}: {name!r} leads out of the folder")
    found = {Path(root, name).relative_to(folder).as_posix() for root, _, names in os.walk(folder) for name in names}
    for name in sorted(found - hashes.keys() - {MANIFEST}):
        findings.warn(f"{name}: not in the manifest")
    return {name: hashes[name] for name in inside}


def _batches(pairs: Iterator[Pair], size: int) -> Iterator[list[Pair]]:
    batch: list[Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
