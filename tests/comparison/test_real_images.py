"""What may become a real image, what is refused and why, and that nothing of a file is believed unseen."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from synthvlm_ui.comparison import RefusedImage, read_real_image

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("image_format", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_what_browsers_show_is_kept_byte_for_byte(image_format: str, suffix: str) -> None:
    content = encoded(Image.fromarray(PIXELS), image_format)
    found = read_real_image(content)
    assert (found.original, found.suffix) == (content, suffix)
    assert found.pixels.shape == (20, 30, 3) and found.pixels.dtype == np.uint8


@pytest.mark.parametrize("image_format", ["BMP", "TIFF", "GIF"])
def test_other_formats_are_to_be_encoded_anew(image_format: str) -> None:
    found = read_real_image(encoded(Image.fromarray(PIXELS), image_format))
    assert found.original is None and found.suffix == "webp"
    if image_format != "GIF":
        assert np.array_equal(found.pixels, PIXELS)


def test_a_picture_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read_real_image(encoded(Image.fromarray(PIXELS), "PNG", exif=exif))
    assert found.original is None
    assert np.array_equal(found.pixels, np.rot90(PIXELS, -1))


def test_what_is_transparent_is_white_and_not_what_was_hidden() -> None:
    clear = np.dstack([PIXELS, np.zeros((20, 30), np.uint8)])
    found = read_real_image(encoded(Image.fromarray(clear), "PNG"))
    assert found.original is None and (found.pixels == 255).all()


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    deep = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    found = read_real_image(encoded(Image.fromarray(deep), "PNG"))
    assert found.pixels[0, 0, 0] == 0 and found.pixels[-1, -1, 0] == 255
    assert abs(int(found.pixels[10, 0, 0]) - 128) <= 1


@pytest.mark.parametrize("cut", [0, 1, 30, 200])
def test_a_cut_file_is_refused(cut: int) -> None:
    content = encoded(Image.fromarray(PIXELS), "PNG")[:cut]
    with pytest.raises(RefusedImage):
        read_real_image(content)


def test_a_small_file_with_an_enormous_picture_is_refused_before_it_is_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND",
                                                                                                          b"")
    with pytest.raises(RefusedImage, match="million pixels"):
        read_real_image(bomb)


@pytest.mark.parametrize(("size", "why"), [((4, 40), "shorter"), ((16_400, 8), "longer")])
def test_sides_have_limits(size: tuple[int, int], why: str) -> None:
    with pytest.raises(RefusedImage, match=why):
        read_real_image(encoded(Image.new("RGB", size), "PNG"))


def test_an_animation_is_no_picture() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(RefusedImage, match="animated"):
        read_real_image(content)


@pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"not an image"])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(RefusedImage, match="known format"):
        read_real_image(content)


def test_equal_files_have_equal_digests_and_others_other_ones() -> None:
    first, second = encoded(Image.fromarray(PIXELS), "PNG"), encoded(Image.fromarray(255 - PIXELS), "PNG")
    assert read_real_image(first).digest == read_real_image(first).digest != read_real_image(second).digest
