"""What an export is given and what it gives back.

Knows no format and no store: images come as encoded bytes from the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import Candidate

ImageFormat = Literal["keep", "jpeg", "png", "webp"]
IMAGE_FORMATS: tuple[str, ...] = ("keep", "jpeg", "png", "webp")


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One pair: the facts of a candidate, its encoded image and its scores (column name to number or None)."""

    candidate: Candidate
    image: bytes
    suffix: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write. ``image_format`` "keep" passes files on as they are, "webp" and "png" are lossless, "jpeg" has
    quality 95. ``seed`` chooses each pair's instruction. ``licences`` maps a model's name to its licence.
    """

    image_format: ImageFormat = "keep"
    seed: int = 0
    licences: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.image_format not in IMAGE_FORMATS:
            raise BadSetting(f"unknown image format {self.image_format!r}", where="--image-format",
                             fix=f"Choose one of {', '.join(IMAGE_FORMATS)}.")


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Where the export is, how many pairs it holds, and why others were left out (reason to count)."""

    out: Path
    written: int
    manifest_sha256: str
    skipped: Mapping[str, int] = field(default_factory=dict)


class Unfit(ValueError):
    """Why a pair cannot stand in this export; its text is the reason."""
