"""Checks and, when asked, re-encodes the image files of an export.

Knows no format of the export and no file system.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from synthvlm_ui.export.items import ExportItem, ImageFormat, Unfit

ACCEPTED = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 64_000_000
_SUFFIX = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_SAVE = {"jpeg": {"quality": 95, "subsampling": 0}, "png": {}, "webp": {"lossless": True, "quality": 50, "method": 2}}


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file as it is to be written. Units: width and height in px."""

    data: bytes
    suffix: str
    width: int
    height: int


def picture_of(item: ExportItem, image_format: ImageFormat) -> Picture:
    """The item's image as the export wants it.

    "keep" reads the header only: decoding every file is the work of ``validate``. Raises: Unfit with the reason.
    """
    if not item.image:
        raise Unfit("no image")
    with open_picture(item.image) as image:
        width, height = image.size
        if image_format == "keep" or _SUFFIX.get(image.format or "") == _suffix(image_format):
            return Picture(item.image, _SUFFIX[image.format or ""], width, height)
        buffer = io.BytesIO()
        try:
            image.convert("RGB").save(buffer, image_format.upper(), **_SAVE[image_format])
        except (OSError, ValueError, SyntaxError) as problem:
            raise Unfit("image does not decode") from problem
    return Picture(buffer.getvalue(), _suffix(image_format), width, height)


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
