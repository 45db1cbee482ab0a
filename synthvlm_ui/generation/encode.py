"""Pixels to bytes: lossless WebP, PNG or JPEG with the generation facts inside the file, and WebP thumbnails.

Knows no directory. The facts sit in EXIF UserComment (WebP, JPEG) and in a text chunk "synthvlm" (PNG), as JSON, so
that a file that has left its workspace still says how it was made.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.records import Candidate

THUMBNAIL_SIDE_PX = 256
JPEG_QUALITY = 95
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_SOFTWARE = 0x0131
_ASCII = b"ASCII\0\0\0"
_LEFT_OUT = frozenset({"created", "status", "error_message"})  # of the run, not of the picture
_IF_ANY = ("engine", "draft_clip_cosine")


def encode_image(pixels: UInt8Image, candidate: Candidate, image_format: str = "webp") -> bytes:
    """The file of one candidate; "webp" and "png" keep every pixel, "jpeg" is quality 95 without chroma subsampling.

    Shapes: (height, width, 3) uint8.
    """
    facts = json.dumps(_facts_of(candidate), ensure_ascii=True)
    image, buffer = Image.fromarray(np.ascontiguousarray(pixels), "RGB"), io.BytesIO()
    if image_format == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("synthvlm", facts)
        image.save(buffer, "PNG", pnginfo=chunks, compress_level=4)
        return buffer.getvalue()
    exif = Image.Exif()
    exif[_SOFTWARE] = "SynthVLM UI"
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = _ASCII + facts.encode("ascii")
    if image_format == "jpeg":
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, exif=exif.tobytes())
    else:
        # method 0 is lossless too, 2-3x faster and some 5 % larger than the default
        image.save(buffer, "WEBP", lossless=True, quality=30, method=0, exif=exif.tobytes())
    return buffer.getvalue()


def _facts_of(candidate: Candidate) -> dict[str, Any]:
    row = candidate.to_json()
    empty = {name for name in _IF_ANY if row[name] in ("", None)}
    return {name: row[name] for name in row if name not in _LEFT_OUT | empty}


def encode_thumbnail(pixels: UInt8Image) -> bytes:
    """A WebP of at most 256 px a side; pictures that are smaller stay as they are, without loss."""
    image, buffer = Image.fromarray(np.ascontiguousarray(pixels), "RGB"), io.BytesIO()
    if max(image.size) <= THUMBNAIL_SIDE_PX:
        image.save(buffer, "WEBP", lossless=True, quality=30, method=0)
    else:
        image.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), Image.Resampling.BICUBIC, reducing_gap=2.0)
        image.save(buffer, "WEBP", quality=80, method=0)
    return buffer.getvalue()


def read_embedded_facts(data: bytes) -> dict[str, Any] | None:
    """The generation facts inside an image file, or None when it holds none of ours."""
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as image:
        text = image.info.get("synthvlm") if image.format == "PNG" else _user_comment(image)
    try:
        facts = json.loads(text) if text else None
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def _user_comment(image: Image.Image) -> str | None:
    comment = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(_ASCII):
        return None
    return comment[len(_ASCII):].decode("ascii", "replace")
