"""What a format is, and the names that all formats share. Knows no format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from synthvlm_ui.export.checking import Findings, Pair
from synthvlm_ui.export.items import ExportItem, ExportOptions, Split
from synthvlm_ui.export.pictures import Picture
from synthvlm_ui.export.staging import Staging
from synthvlm_ui.records import short_hash

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to write: a pair, its picture, its split, and which repeat of the pair it is (0 first)."""

    item: ExportItem
    picture: Picture
    split: Split = "train"
    repeat: int = 0

    @property
    def id(self) -> str:
        """The id of the record: the candidate's, and for a repeat its number behind it."""
        return f"{self.item.candidate.id}-{self.repeat + 1}" if self.repeat else self.item.candidate.id

    @property
    def image(self) -> str:
        """The name of the image's file; repeats share it."""
        return image_name(self.item.candidate.id, self.picture.suffix)


class Writer(Protocol):
    """Writes one format. ``add`` raises Unfit for a pair its readers could not use, before writing any of it."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None: ...

    def add(self, entry: Entry) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Form:
    """A format: its writer, its check, and what people are told.

    ``note`` says what reads it, ``use`` how, ``files`` what its own files are called; ``card_head`` is the YAML that
    Hugging Face needs at the top of the card to find the files, for the given splits.
    """

    note: str
    use: str
    files: str
    writer: type[Writer]
    check: Callable[[Path, Findings], Iterator[Pair]]
    card_head: Callable[[tuple[Split, ...]], str] = lambda splits: ""


def safe_stem(pair_id: str) -> str:
    """The id where it is a safe file name on every system, else a hash of it."""
    return pair_id if _SAFE_NAME.fullmatch(pair_id) and not pair_id.endswith(".") else short_hash("file", pair_id)


def image_name(pair_id: str, suffix: str) -> str:
    """A file name that is safe on every system, in one of 256 sub-folders so that none grows too large."""
    return f"{short_hash('folder', pair_id)[:2]}/{safe_stem(pair_id)}.{suffix}"


def data_files(pattern: str, splits: tuple[Split, ...]) -> str:
    """The card's YAML that maps splits to files; ``pattern`` has {split} in it."""
    rows = "".join(f"      - split: {split}\n        path: {pattern.format(split=split)}\n" for split in splits)
    return f"---\nconfigs:\n  - config_name: default\n    data_files:\n{rows}---\n\n"
