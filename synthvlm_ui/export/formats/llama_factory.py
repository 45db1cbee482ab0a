"""LLaMA-Factory's format: messages and a list of images, announced in dataset_info.json (its data/README)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.checking import (
    Findings,
    Pair,
    check_id,
    check_length,
    image_path,
    load_json,
    place_of,
)
from synthvlm_ui.export.formats.form import Entry, Form
from synthvlm_ui.export.formats.json_array import JsonArray
from synthvlm_ui.export.instructions import IMAGE_TOKEN, human_turn
from synthvlm_ui.export.items import ExportOptions, Unfit
from synthvlm_ui.export.records_json import line
from synthvlm_ui.export.staging import Staging

INFO = "dataset_info.json"
NAMES = {"train": "synthvlm", "validation": "synthvlm_validation"}
_COLUMNS = {"messages": "messages", "images": "images"}
_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


class LlamaFactoryWriter:
    """``images`` is a list, relative to the folder that is LLaMA-Factory's dataset_dir."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging, self._seed = staging, options.seed
        self._arrays = {split: JsonArray(staging, f"{NAMES[split]}.json") for split in options.splits}
        info = {NAMES[split]: {"file_name": f"{NAMES[split]}.json", "formatting": "sharegpt", "columns": _COLUMNS,
                               "tags": _TAGS} for split in options.splits}
        staging.write_text(INFO, line(info))

    def add(self, entry: Entry) -> None:
        caption = entry.item.candidate.caption
        if IMAGE_TOKEN in caption:
            raise Unfit(f"caption holds {IMAGE_TOKEN}, which LLaMA-Factory reads as a second image")
        name = f"images/{entry.image}"
        if not entry.repeat:
            self._staging.write_bytes(name, entry.picture.data)
        messages = [{"role": "user", "content": human_turn(self._seed, entry.id)},
                    {"role": "assistant", "content": caption}]
        self._arrays[entry.split].add({"id": entry.id, "messages": messages, "images": [name]})

    def close(self) -> None:
        for array in self._arrays.values():
            array.close()


def check(path: Path, findings: Findings) -> Iterator[Pair]:
    """What LLaMA-Factory's loader needs: the announced files, and as many <image> as images in each record."""
    folder = path if path.is_dir() else path.parent
    if not (folder / INFO).is_file():
        raise UnreadableFile(f"no {INFO}", where=str(folder), fix="Name the folder of the export.")
    info = load_json(folder / INFO)
    seen: set[str] = set()
    for name, entry in info.items() if isinstance(info, dict) else ():
        file = image_path(entry.get("file_name") if isinstance(entry, dict) else None, folder, name, findings)
        if file is None or not file.is_file():
            findings.error(f"{name}: its file is not there")
            continue
        for record in _records(file, findings):
            findings.records += 1
            place = place_of(findings.records, record)
            check_id(record, place, seen, findings)
            _check_messages(record, place, findings)
            images = record.get("images")
            if not isinstance(images, list) or not images:
                findings.error(f"{place}: images is not a list with a name in it")
                continue
            yield from (Pair(place, image_path(one, folder, place, findings)) for one in images)


def _records(file: Path, findings: Findings) -> Iterator[dict[str, Any]]:
    records = load_json(file)
    for number, record in enumerate(records if isinstance(records, list) else [], 1):
        if isinstance(record, dict):
            yield record
        else:
            findings.error(f"{file.name}, record {number}: not an object")
    if not isinstance(records, list):
        findings.error(f"{file.name}: not a JSON array")


def _check_messages(record: dict[str, Any], place: str, findings: Findings) -> None:
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages or len(messages) % 2:
        findings.error(f"{place}: messages are not pairs of user and assistant")
        return
    texts = [one["content"] for one in messages if isinstance(one, dict) and isinstance(one.get("content"), str)]
    if len(texts) < len(messages):
        findings.error(f"{place}: a message without a text")
        return
    if [one.get("role") for one in messages] != ["user", "assistant"] * (len(messages) // 2):
        findings.error(f"{place}: roles are not user and assistant in turn")
    tokens, images = sum(text.count(IMAGE_TOKEN) for text in texts), record.get("images")
    if isinstance(images, list) and tokens != len(images):
        findings.error(f"{place}: {tokens} times {IMAGE_TOKEN} for {len(images)} images")
    if not texts[-1].strip():
        findings.error(f"{place}: empty caption")
    check_length(" ".join(texts), place, findings)


FORM = Form(
    note="messages, an images list and dataset_info.json, for LLaMA-Factory and ms-swift",
    use="Give LLaMA-Factory this folder: `--dataset_dir . --media_dir . --dataset synthvlm`.",
    files="`dataset_info.json`, `synthvlm.json`, `images/`", writer=LlamaFactoryWriter, check=check)
