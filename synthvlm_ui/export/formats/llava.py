"""LLaVA's own format: one JSON array and a folder of images (haotian-liu/LLaVA, train.py: preprocess_plain)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthvlm_ui.export.checking import (
    Findings,
    Pair,
    check_id,
    check_length,
    image_path,
    load_json,
    main_files,
    place_of,
)
from synthvlm_ui.export.formats.form import Entry, Form
from synthvlm_ui.export.formats.json_array import JsonArray
from synthvlm_ui.export.instructions import IMAGE_TOKEN, human_turn
from synthvlm_ui.export.items import ExportOptions, Unfit
from synthvlm_ui.export.staging import Staging

FILES, IMAGES = {"train": "llava.json", "validation": "llava_validation.json"}, "images"
LEFT_WITHOUT_IMAGE = f"caption holds {IMAGE_TOKEN}, which LLaVA reads as a second image"


class LlavaWriter:
    """``image`` is relative to the folder ``images``, LLaVA's --image_folder."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging, self._seed = staging, options.seed
        self._arrays = {split: JsonArray(staging, FILES[split]) for split in options.splits}

    def add(self, entry: Entry) -> None:
        candidate = entry.item.candidate
        if IMAGE_TOKEN in candidate.caption:
            raise Unfit(LEFT_WITHOUT_IMAGE)
        if not entry.repeat:
            self._staging.write_bytes(f"{IMAGES}/{entry.image}", entry.picture.data)
        turns = [{"from": "human", "value": human_turn(self._seed, entry.id)},
                 {"from": "gpt", "value": candidate.caption}]
        self._arrays[entry.split].add({"id": entry.id, "image": entry.image, "conversations": turns})

    def close(self) -> None:
        for array in self._arrays.values():
            array.close()


def check(path: Path, findings: Findings) -> Iterator[Pair]:
    """LLaVA's own assertions, and what would harm its training without stopping it."""
    seen: set[str] = set()
    for file in main_files(path, FILES.values()):
        records = load_json(file)
        if not isinstance(records, list):
            findings.error(f"{file.name}: not a JSON array")
            continue
        root = file.parent / IMAGES if (file.parent / IMAGES).is_dir() else file.parent
        for record in records:
            findings.records += 1
            if not isinstance(record, dict):
                findings.error(f"record {findings.records}: not an object")
                continue
            place = place_of(findings.records, record)
            check_id(record, place, seen, findings)
            _check_turns(record.get("conversations"), place, findings)
            if "image" not in record:
                findings.error(f"{place}: no image")
                continue
            yield Pair(place, image_path(record["image"], root, place, findings))


def _check_turns(turns: Any, place: str, findings: Findings) -> None:
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
    check_length(" ".join(turn["value"] for turn in turns), place, findings)


FORM = Form(
    note="LLaVA JSON and a folder of images, for LLaVA's two training stages",
    use="Give LLaVA's training script `--data_path llava.json --image_folder images`. Stage 1 (`--version plain`) "
        "reads the caption only and drops the instruction.",
    files="`llava.json`, `images/`", writer=LlavaWriter, check=check)
