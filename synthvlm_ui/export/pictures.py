"""Checks and, when asked, resizes and re-encodes the image files of an export.

Knows no format of the export and no file system.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

from synthvlm_ui.export.items import ExportItem, ExportOptions, Unfit

ACCEPTED = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 64_000_000
_SUFFIX = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_NAME = {"png": "png", "jpg": "jpeg", "webp": "webp"}
# CLIP's mean colour, with which LLaVA pads pictures to a square (image_aspect_ratio "pad").
_PADDING = (122, 116, 104)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file as it is to be written. Units: width and height in px."""

    data: bytes
    suffix: str
    width: int
    height: int


def picture_of(item: ExportItem, options: ExportOptions) -> Picture:
    """The item's image as the export wants it.

    A file that is already as wanted is passed on after a look at its header: decoding every file is the work of
    ``validate``. Raises: Unfit with the reason.
    """
    if not item.image:
        raise Unfit("no image")
    with open_picture(item.image) as image:
        size, suffix = image.size, _SUFFIX[image.format or ""]
        wanted = suffix if options.image_format == "keep" else _suffix(options.image_format)
        square = options.size_px is None or size == (options.size_px, options.size_px)
        if wanted == suffix and square:
            return Picture(item.image, suffix, *size)
        try:
            pixels = image.convert("RGB")
            if options.size_px is not None:
                pixels = squared(pixels, options.size_px, options.fit)
            buffer = io.BytesIO()
            pixels.save(buffer, _NAME[wanted].upper(), **_settings(wanted, options.image_quality))
        except (OSError, ValueError, SyntaxError) as problem:
            raise Unfit("image does not decode") from problem
    return Picture(buffer.getvalue(), wanted, *pixels.size)


def squared(image: Image.Image, side_px: int, fit: str) -> Image.Image:
    """The picture as a square: padded with CLIP's mean colour, cropped to its middle, or stretched; bicubic."""
    size, method = (side_px, side_px), Image.Resampling.BICUBIC
    if fit == "pad":
        return ImageOps.pad(image, size, method, color=_PADDING)
    return ImageOps.fit(image, size, method) if fit == "crop" else image.resize(size, method)


def open_picture(data: bytes) -> Image.Image:
    """The image with its header read. Raises: Unfit when it is none of PNG, JPEG, WebP, animated, or far too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=ACCEPTED)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise Unfit("image does not open") from problem
    if getattr(image, "n_frames", 1) != 1:
        raise Unfit("image is animated")
    if image.width * image.height > MAX_PIXELS:
        raise Unfit(f"image of more than {MAX_PIXELS} px")
    return image


def _suffix(image_format: str) -> str:
    return "jpg" if image_format == "jpeg" else image_format


def _settings(suffix: str, quality: int) -> dict[str, Any]:
    jpeg = {"quality": quality, "subsampling": 0 if quality >= 90 else 2}
    return {"jpg": jpeg, "png": {}, "webp": {"lossless": True, "quality": 50, "method": 2}}[suffix]
