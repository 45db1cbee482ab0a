"""Plain JSON lines with facts and scores side by side, and a folder of images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.checking import (
    Findings,
    Pair,
    check_caption,
    check_id,
    image_path,
    main_files,
    place_of,
)
from synthvlm_ui.export.formats.form import Entry, Form
from synthvlm_ui.export.items import ExportOptions
from synthvlm_ui.export.records_json import flat_row, line
from synthvlm_ui.export.staging import Staging

FILES, IMAGES = {"train": "data.jsonl", "validation": "data_validation.jsonl"}, "images"


class JsonlWriter:
    """``image`` is relative to the export."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging = staging
        self._files = {split: staging.open_text(FILES[split]) for split in options.splits}

    def add(self, entry: Entry) -> None:
        name = f"{IMAGES}/{entry.image}"
        if not entry.repeat:
            self._staging.write_bytes(name, entry.picture.data)
        self._files[entry.split].write(line(flat_row(entry.item) | {"id": entry.id, "image": name}))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def check(path: Path, findings: Findings) -> Iterator[Pair]:
    """Every line an object with an id, a caption and an image that is there."""
    seen: set[str] = set()
    for file in main_files(path, FILES.values()):
        yield from check_lines(file, "caption", "image", seen, findings)


def check_lines(file: Path, caption: str, image: str, seen: set[str], findings: Findings) -> Iterator[Pair]:
    """Pairs of a file of JSON lines, by the names of the two fields; image paths are relative to the file."""
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
        place = place_of(findings.records, record)
        check_id(record, place, seen, findings)
        check_caption(record.get(caption), place, findings)
        yield Pair(place, image_path(record.get(image), file.parent, place, findings))


FORM = Form(
    note="JSON lines with captions, facts and scores, and a folder of images",
    use="Each line of `data.jsonl` is one pair; `image` is relative to this folder.",
    files="`data.jsonl`, `images/`", writer=JsonlWriter, check=check)
