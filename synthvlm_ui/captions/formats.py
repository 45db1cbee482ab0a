"""Tells what a caption file or folder is, by its ending, its first line and what lies in it.

Reads no caption.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from synthvlm_ui.captions.arrow_files import tables_of
from synthvlm_ui.captions.encodings import check_file, find_encoding
from synthvlm_ui.captions.flickr_files import looks_like_bars, looks_like_tokens
from synthvlm_ui.captions.folder_files import METADATA, image_names
from synthvlm_ui.captions.hub_datasets import hub_dataset
from synthvlm_ui.captions.source import ENDINGS
from synthvlm_ui.captions.tar_files import archives_of
from synthvlm_ui.errors import UnreadableFile

FILE_FORMATS = ("txt", "csv", "tsv", "json", "jsonl", "parquet", "tar")
_BINARY = frozenset({"parquet", "webdataset"})
# Flickr8k and Flickr30k travel as "captions.txt" with a table's header; a caption seldom reads like one.
_TABLE_HEADER = re.compile(r"(?:image|image_name|filename|file_name|image_path|id)\s*,.*\b(?:caption|comment|text)\b",
                           re.IGNORECASE)


def find_format(path: Path) -> tuple[Path, str, str | None]:
    """(the file, folder or Hub data set to read, its format, its encoding or None).

    Raises: UnreadableFile, EmptyInput, BadSetting.
    """
    if (named := hub_dataset(str(path))) is not None:
        return Path(str(named)), "hub", None
    if path.is_dir():
        return _format_of_folder(path)
    check_file(path)
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        raise UnreadableFile(f"unknown ending {path.suffix!r}", where=str(path),
                             fix=f"Rename it to one of {', '.join(FILE_FORMATS)}, or give a folder.")
    if form in _BINARY:
        return path, form, None
    encoding = find_encoding(path)
    if form in ("txt", "csv"):
        with path.open(encoding=encoding) as file:
            first = file.readline()
        if looks_like_bars(first):
            form = "flickr-bars"
        elif looks_like_tokens(first):
            form = "flickr-tokens"
        elif form == "txt" and _TABLE_HEADER.match(first):
            form = "csv"
    return path, form, encoding


def _format_of_folder(folder: Path) -> tuple[Path, str, str | None]:
    """A folder with its own list of captions (imagefolder) is read by that list."""
    for name in METADATA:
        listed = folder / name
        if listed.is_file():
            return find_format(listed)
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file() or tables_of(folder):
        if not tables_of(folder):
            raise UnreadableFile("a data set without a parquet or Arrow file", where=str(folder),
                                 fix="Save it again, with save_to_disk or to_parquet.")
        return folder, "huggingface", None
    if archives_of(folder):
        return folder, "webdataset", None
    if any(islice(image_names(folder), 1)):
        return folder, "folder", None
    raise UnreadableFile("a folder without images, tar archives or tables", where=str(folder),
                         fix="Give a caption file, a folder of images with captions beside them, or a data set.")
