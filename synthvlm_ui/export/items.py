"""What an export is given and what it gives back.

Knows no format and no store: images come as encoded bytes from the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import Candidate, short_hash

ImageFormat = Literal["keep", "jpeg", "png", "webp"]
Fit = Literal["pad", "crop", "stretch"]
Split = Literal["train", "validation"]
IMAGE_FORMATS: tuple[str, ...] = ("keep", "jpeg", "png", "webp")
FITS: tuple[str, ...] = ("pad", "crop", "stretch")
SPLITS: tuple[Split, ...] = ("train", "validation")


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One pair: the facts of a candidate, its encoded image and its scores (column name to number or None)."""

    candidate: Candidate
    image: bytes
    suffix: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write.

    ``image_format`` "keep" passes files on as they are, "webp" and "png" are lossless, "jpeg" has ``image_quality``.
    ``size_px`` makes every image a square of that side; ``fit`` says how one that is no square gets there.
    ``shard_pairs`` is the most pairs of one tar or parquet file. ``validation`` is the share of captions whose pairs
    become the validation split. ``repeats`` lists every training pair that often. ``seed`` chooses each pair's
    instruction and each caption's split. ``licences`` maps a model's name to its licence, ``facts`` are lines for the
    card, ``select_command`` is the line that makes the selection. ``converted`` names a file that keeps converted
    images until the export is whole, for one that was killed and is carried out again.
    """

    image_format: ImageFormat = "keep"
    image_quality: int = 95
    size_px: int | None = None
    fit: Fit = "pad"
    shard_pairs: int = 2000
    validation: float = 0.0
    repeats: int = 1
    seed: int = 0
    licences: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    select_command: str = ""
    converted: Path | None = None

    def __post_init__(self) -> None:
        _check_one_of(self.image_format, IMAGE_FORMATS, "--image-format")
        _check_one_of(self.fit, FITS, "--fit")
        _check_range(self.image_quality, 1, 100, "--image-quality")
        _check_range(self.shard_pairs, 1, 1_000_000, "--shard-size")
        _check_range(self.repeats, 1, 1000, "--repeats")
        if self.size_px is not None:
            _check_range(self.size_px, 1, 8192, "--size")
        if not 0 <= self.validation < 1:
            raise BadSetting(f"a validation share of {self.validation:g} is not in [0, 1)", where="--split",
                             fix="Write a share such as 0.05.")

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that are written."""
        return SPLITS if self.validation else SPLITS[:1]

    def split_of(self, caption_id: str) -> Split:
        """The split of all pairs of a caption: depends on the seed and the caption alone, so that no caption is in both
        and a larger export keeps the split of a smaller one."""
        draw = int(short_hash("split", self.seed, caption_id)[:8], 16) / 2**32
        return "validation" if draw < self.validation else "train"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Where the export is, how many pairs it holds, and why others were left out (reason to count)."""

    out: Path
    written: int
    manifest_sha256: str
    skipped: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)


class Unfit(ValueError):
    """Why a pair cannot stand in this export; its text is the reason."""


def _check_one_of(value: str, known: tuple[str, ...], option: str) -> None:
    if value not in known:
        raise BadSetting(f"unknown choice {value!r}", where=option, fix=f"Choose one of {', '.join(known)}.")


def _check_range(value: int, least: int, most: int, option: str) -> None:
    if not least <= value <= most:
        raise BadSetting(f"{value} is out of range", where=option, fix=f"Write a number from {least} to {most}.")
