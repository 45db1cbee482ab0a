"""Reading a real image that somebody else's file claims to be: what it shows, or why it is refused.

Knows bytes and pixels; knows no directory, no caption and no store. Nothing here trusts a header: sizes are checked
before anything is decoded, and a picture counts only when every pixel of it has been.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from synthvlm_ui.protocols import UInt8Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
MAX_FILE_BYTES = 100 * 2**20
MAX_PIXELS = 64_000_000
MAX_SIDE_PX = 16_383  # of a WebP file, into which odd formats are put
MIN_SIDE_PX = 8
_SHOWN_BY_BROWSERS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
_OPAQUE_MODES = frozenset({"RGB", "L", "P", "1"})
_ORIENTATION = 0x0112
_WHITE = (255, 255, 255, 255)


class RefusedImage(ValueError):
    """Why a file cannot be a real image: one short clause, the same for all files with the same fault."""


@dataclass(frozen=True)
class RealImage:
    """A real image that was read to its last pixel.

    ``pixels`` is (height, width, 3) uint8 sRGB, upright, over white where it was transparent. ``original`` is the file
    as it was given when browsers show exactly these pixels, else None: then the pixels are to be encoded anew.
    ``digest`` is the SHA-256 of the file in hexadecimal digits.
    """

    pixels: UInt8Image
    original: bytes | None
    suffix: str
    digest: str


def read_real_image(content: bytes) -> RealImage:
    """Decodes a whole image file. Raises: RefusedImage."""
    if len(content) > MAX_FILE_BYTES:
        raise RefusedImage(f"file larger than {MAX_FILE_BYTES // 2**20} MiB")
    with warnings.catch_warnings():
        # Pillow warns of odd metadata, which is no reason to refuse; of size, this module decides itself.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_size(image)
                return _read(image, content)
        except RefusedImage:
            raise
        except UnidentifiedImageError as error:
            raise RefusedImage("not an image of a known format") from error
        except Image.DecompressionBombError as error:
            raise RefusedImage(f"more than {MAX_PIXELS // 10**6} million pixels") from error
        except Exception as error:  # decoders of broken files raise anything
            raise RefusedImage("broken image") from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise RefusedImage(f"more than {MAX_PIXELS // 10**6} million pixels")
    if max(width, height) > MAX_SIDE_PX:
        raise RefusedImage(f"a side longer than {MAX_SIDE_PX:,} px")
    if min(width, height) < MIN_SIDE_PX:
        raise RefusedImage(f"a side shorter than {MIN_SIDE_PX} px")
    if image.format != "MPO" and getattr(image, "n_frames", 1) != 1:  # a phone's MPO is a JPEG with extras behind it
        raise RefusedImage("animated, or of several pages")


def _read(image: Image.Image, content: bytes) -> RealImage:
    image.load()
    suffix = _SHOWN_BY_BROWSERS.get(image.format or "")
    upright = image.getexif().get(_ORIENTATION, 1) in (0, 1)
    plain = image.mode in _OPAQUE_MODES and "transparency" not in image.info
    pixels = _rgb(image if upright else ImageOps.exif_transpose(image))
    kept = content if suffix and upright and plain else None
    return RealImage(pixels, kept, suffix if kept and suffix else "webp", hashlib.sha256(content).hexdigest())


def _rgb(image: Image.Image) -> UInt8Image:
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, dtype=np.float64)
        # 16 bits a sample are the only deep pictures that are common; a scan in 32 has no known white.
        grey = np.clip(np.rint(deep / 257.0), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in image.mode or "transparency" in image.info:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, _WHITE), seen)
    return np.asarray(image.convert("RGB"))
