"""A sheet to draw on: the same few strokes as an SVG file or as a PNG.

Knows strokes and letters; knows nothing of what they mean. Units: px, from the top left corner.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from html import escape
from typing import Literal, Protocol

from PIL import Image, ImageColor, ImageDraw, ImageFont

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
_PIL_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
_SHARPNESS = 2  # pixels of a PNG per px of the figure


class Sheet(Protocol):
    """What a figure is drawn with; ``opacity`` from 0 to 1, ``dash`` as (on, off)."""

    def polyline(self, points: Sequence[Point], colour: str, width: float,
                 dash: tuple[float, float] | None = None) -> None: ...

    def polygon(self, points: Sequence[Point], colour: str, opacity: float) -> None: ...

    def circle(self, centre: Point, radius: float, colour: str, opacity: float) -> None: ...

    def text(self, at: Point, text: str, colour: str, size: float, anchor: Anchor, *, bold: bool = False) -> None: ...


class SvgSheet:
    """An SVG file with text as text."""

    def __init__(self, width: int, height: int, background: str, title: str) -> None:
        self._parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                       f'viewBox="0 0 {width} {height}" role="img" font-family="system-ui, sans-serif">',
                       f"<title>{escape(title)}</title>", f'<rect width="100%" height="100%" fill="{background}"/>']

    def polyline(self, points: Sequence[Point], colour: str, width: float,
                 dash: tuple[float, float] | None = None) -> None:
        dashes = f' stroke-dasharray="{dash[0]:g} {dash[1]:g}"' if dash else ""
        self._parts.append(f'<polyline points="{_listed(points)}" fill="none" stroke="{colour}" '
                           f'stroke-width="{width:g}"{dashes}/>')

    def polygon(self, points: Sequence[Point], colour: str, opacity: float) -> None:
        self._parts.append(f'<polygon points="{_listed(points)}" fill="{colour}" fill-opacity="{opacity:g}"/>')

    def circle(self, centre: Point, radius: float, colour: str, opacity: float) -> None:
        self._parts.append(f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius:g}" fill="{colour}" '
                           f'fill-opacity="{opacity:g}"/>')

    def text(self, at: Point, text: str, colour: str, size: float, anchor: Anchor, *, bold: bool = False) -> None:
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" font-size="{size:g}" '
                           f'text-anchor="{anchor}"{weight}>{escape(text)}</text>')

    def content(self) -> bytes:
        return "\n".join([*self._parts, "</svg>", ""]).encode("utf-8")


class PngSheet:
    """A PNG at twice the figure's size."""

    def __init__(self, width: int, height: int, background: str) -> None:
        self._image = Image.new("RGB", (width * _SHARPNESS, height * _SHARPNESS), background)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def polyline(self, points: Sequence[Point], colour: str, width: float,
                 dash: tuple[float, float] | None = None) -> None:
        thick = max(1, round(width * _SHARPNESS))
        for piece in _dashed(points, dash) if dash else [points]:
            self._draw.line(_enlarged(piece), fill=colour, width=thick, joint="curve")

    def polygon(self, points: Sequence[Point], colour: str, opacity: float) -> None:
        self._draw.polygon(_enlarged(points), fill=(*_rgb(colour), round(255 * opacity)))

    def circle(self, centre: Point, radius: float, colour: str, opacity: float) -> None:
        (x, y), r = _enlarged([centre])[0], radius * _SHARPNESS
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=(*_rgb(colour), round(255 * opacity)))

    def text(self, at: Point, text: str, colour: str, size: float, anchor: Anchor, *, bold: bool = False) -> None:
        font = ImageFont.load_default(size * _SHARPNESS)
        self._draw.text(_enlarged([at])[0], text, fill=colour, font=font, anchor=_PIL_ANCHORS[anchor],
                        stroke_width=0.5 if bold else 0)

    def content(self) -> bytes:
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG")
        return buffer.getvalue()


def _listed(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _enlarged(points: Sequence[Point]) -> list[Point]:
    return [(x * _SHARPNESS, y * _SHARPNESS) for x, y in points]


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return red, green, blue


def _dashed(points: Sequence[Point], dash: tuple[float, float]) -> list[list[Point]]:
    """The pieces of a line that are drawn, walking along it."""
    pieces: list[list[Point]] = []
    drawing, left = True, dash[0]
    piece = [points[0]]
    for start, end in zip(points, points[1:], strict=False):
        length = math.dist(start, end)
        walked = 0.0
        while length - walked > left:
            walked += left
            share = walked / length
            at = (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
            if drawing:
                pieces.append([*piece, at])
            drawing, piece = not drawing, [at]
            left = dash[0] if drawing else dash[1]
        left -= length - walked
        if drawing:
            piece.append(end)
    return [*pieces, piece] if drawing and len(piece) > 1 else pieces
