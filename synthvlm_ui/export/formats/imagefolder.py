"""Hugging Face's imagefolder: a folder per split with images and a metadata.jsonl that names them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.checking import Findings, Pair
from synthvlm_ui.export.formats.form import Entry, Form, data_files, image_name
from synthvlm_ui.export.formats.jsonl import check_lines
from synthvlm_ui.export.items import SPLITS, ExportOptions
from synthvlm_ui.export.records_json import flat_row, line
from synthvlm_ui.export.staging import Staging

METADATA = "metadata.jsonl"


class ImageFolderWriter:
    """``file_name`` is relative to the split's folder; ``text`` is the column that diffusers' training scripts read."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging = staging
        for split in options.splits:
            (staging.path / split).mkdir()
        self._files = {split: staging.open_text(f"{split}/{METADATA}") for split in options.splits}

    def add(self, entry: Entry) -> None:
        # The loader pairs each image with one line, so a repeat has a file of its own.
        name = image_name(entry.id, entry.picture.suffix)
        self._staging.write_bytes(f"{entry.split}/{name}", entry.picture.data)
        row = {name: value for name, value in flat_row(entry.item).items() if name not in ("image", "caption")}
        text = entry.item.candidate.caption
        self._files[entry.split].write(line({"file_name": name, "text": text} | row | {"id": entry.id}))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def check(path: Path, findings: Findings) -> Iterator[Pair]:
    """Every line of every metadata.jsonl names an image and a text."""
    folders = [path / split for split in SPLITS if (path / split / METADATA).is_file()]
    folders = folders or [path if path.is_dir() else path.parent]
    seen: set[str] = set()
    for folder in folders:
        if not (folder / METADATA).is_file():
            raise UnreadableFile(f"no {METADATA}", where=str(folder), fix="Name the folder of the export.")
        yield from check_lines(folder / METADATA, "text", "file_name", seen, findings)


FORM = Form(
    note="images and metadata.jsonl, for Hugging Face datasets and diffusers' training scripts",
    use='In Hugging Face datasets: `load_dataset("imagefolder", data_dir=".")`, with the columns `image` and `text`.',
    files="`train/`", writer=ImageFolderWriter, check=check,
    card_head=lambda splits: data_files("{split}/**", splits))
