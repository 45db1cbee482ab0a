"""Rows of a folder of images with captions in files beside them: cat.jpg and cat.txt (or .caption, or .json).

Opens no image; follows no link out of the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from synthvlm_ui.captions.rows import Columns, Rejected, excerpt
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.captions.text_values import caption_in, decode_text
from synthvlm_ui.config import MAX_CAPTION_CHARACTERS

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
CAPTION_ENDINGS = (".txt", ".caption", ".json")
METADATA = ("metadata.jsonl", "metadata.csv")
_MAX_BYTES = 16 * MAX_CAPTION_CHARACTERS


def image_names(folder: Path) -> Iterator[str]:
    """The paths of the images below a folder, relative and sorted, hidden ones left out; links to folders are not
    followed."""
    for directory, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(IMAGE_ENDINGS) and not name.startswith("."):
                yield (Path(directory) / name).relative_to(folder).as_posix()


def read_folder(source: Source) -> Iterator[Row | Rejected]:
    """One row an image, the id being its path without the ending; an image without a caption is rejected by name."""
    source.columns = Columns("caption beside the image", "path", "path")
    root = source.path.resolve()
    for number, name in enumerate(image_names(source.path), 1):
        image = source.path / name
        beside = next((path for ending in CAPTION_ENDINGS if (path := image.with_suffix(ending)).is_file()), None)
        if beside is None:
            yield Rejected(number, "an image without a caption file beside it", name, name)
            continue
        if not beside.resolve().is_relative_to(root):
            yield Rejected(number, "a caption file that leads out of the folder", beside.name, name)
            continue
        try:
            with beside.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
            text = caption_in(content, source.mapping) if beside.suffix == ".json" else decode_text(content)
        except (OSError, ValueError) as problem:
            reason = "not valid JSON" if isinstance(problem, json.JSONDecodeError) else "cannot be read as text"
            yield Rejected(number, f"the caption file is {reason}", excerpt(beside.name), name)
            continue
        yield number, text, Path(name).with_suffix("").as_posix(), name, None
