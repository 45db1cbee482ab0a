"""Figures of a comparison, drawn once for files and for the page: overlaid histograms and flat maps.

Knows numbers, names and colours; the drawing itself is a ``Sheet``'s, as SVG or as pixels. Sets differ in colour and
also in dashes and markers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison.sheet import Point, Sheet

# Okabe and Ito's colours, which stay apart for the colour-blind; dark backgrounds get lighter ones of the same hue.
COLOURS = {"light": ("#0072b2", "#c2410c", "#00795a", "#a63d7c", "#8a6100", "#3d6fb0"),
           "dark": ("#5ab4f0", "#ff9a5c", "#3fd0a4", "#f094cb", "#ffc94d", "#a9c7ff")}
_INK = {"light": ("#1e293b", "#64748b", "#cbd5e1", "#ffffff"), "dark": ("#e2e8f0", "#a3b0c2", "#3b475a", "#18202e")}
_DASHES: tuple[tuple[float, float] | None, ...] = (None, (7, 4), (2, 3), (12, 4), (5, 2), (2, 6))
_MARKERS = ("circle", "diamond", "square", "triangle", "cross", "circle")
TITLES = {"clip_cosine": "CLIPScore (cosine)", "ssim": "SSIM of the round trip", "combined": "CLIPScore + λ · SSIM"}


@dataclass(frozen=True)
class Style:
    """Size in px and theme of one figure."""

    width: int = 720
    height: int = 300
    theme: str = "light"


@dataclass(frozen=True)
class _Frame:
    """The plotting area and the data range it shows."""

    left: float
    top: float
    right: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> Point:
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)


def draw_histograms(sheet: Sheet, title: str, edges: Sequence[float], shares: Mapping[str, Sequence[float]],
                    style: Style) -> None:
    """The share of each set in each bin as outlines over one another; says so when there is nothing to draw."""
    ink, faint, line, _ = _INK[style.theme]
    top = _legend(sheet, title, list(shares), style, _swatch)
    if not edges:
        sheet.text((style.width / 2, style.height / 2), "no scores yet", faint, 14, "middle")
        return
    highest = max((max(values, default=0.0) for values in shares.values()), default=0.0) or 1.0
    frame = _Frame(46, top, style.width - 14, style.height - 30, (edges[0], edges[-1]), (0, highest * 1.05))
    for share in _ticks(0, highest, 3):
        y = frame.place(edges[0], share)[1]
        sheet.polyline([(frame.left, y), (frame.right, y)], line, 1)
        sheet.text((frame.left - 6, y + 4), f"{100 * share:.3g} %", faint, 11, "end")
    for value in _ticks(edges[0], edges[-1], max(3, style.width // 130)):
        x = frame.place(value, 0)[0]
        sheet.polyline([(x, frame.bottom), (x, frame.bottom + 4)], faint, 1)
        sheet.text((x, frame.bottom + 18), f"{value:.4g}", faint, 11, "middle")
    for place, values in enumerate(shares.values()):
        steps = [frame.place(edges[0], 0)]
        for at, share in enumerate(values):
            steps += [frame.place(edges[at], share), frame.place(edges[at + 1], share)]
        steps.append(frame.place(edges[-1], 0))
        colour = _colour(style, place)
        sheet.polygon(steps, colour, 0.14)
        sheet.polyline(steps, colour, 2, _DASHES[place % len(_DASHES)])
    sheet.polyline([(frame.left, frame.bottom), (frame.right, frame.bottom)], ink, 1)


def draw_map(sheet: Sheet, title: str, points: Mapping[str, NDArray[np.floating]], style: Style) -> None:
    """Every set's points in one plane; axes of such a map mean nothing, so there are none. Shapes: (N, 2) each."""
    top = _legend(sheet, title, list(points), style, _marker_swatch)
    rows = [np.asarray(one, np.float64).reshape(-1, 2) for one in points.values()]
    pooled = np.concatenate(rows) if rows else np.zeros((0, 2))
    if not len(pooled):
        return
    low, high = pooled.min(0), pooled.max(0)
    frame = _Frame(14, top, style.width - 14, style.height - 14, (low[0], high[0]), (low[1], high[1]))
    radius = 3.2 if len(pooled) < 600 else 2.2
    # Set after set in small portions, so that the last one drawn does not hide the others.
    for start in range(0, max(map(len, rows)), 25):
        for place, one in enumerate(rows):
            for x, y in one[start:start + 25]:
                _mark(sheet, frame.place(x, y), radius, _colour(style, place), _MARKERS[place % len(_MARKERS)], 0.62)


def background(theme: str) -> str:
    """The colour a sheet of this theme starts with."""
    return _INK[theme][3]


def _legend(sheet: Sheet, title: str, names: Sequence[str], style: Style, swatch: Any) -> float:
    ink, faint, _, _ = _INK[style.theme]
    sheet.text((14, 22), title, ink, 14, "start", bold=True)
    x, y = 14.0, 44.0
    for place, name in enumerate(names):
        width = 34 + 7.2 * len(name) + 14
        if x + width > style.width - 10 and x > 14:
            x, y = 14.0, y + 18
        swatch(sheet, (x, y), place, style)
        sheet.text((x + 32, y), name, faint, 12, "start")
        x += width
    return y + 14


def _swatch(sheet: Sheet, at: Point, place: int, style: Style) -> None:
    x, y = at
    sheet.polyline([(x, y - 4), (x + 26, y - 4)], _colour(style, place), 2.5, _DASHES[place % len(_DASHES)])


def _marker_swatch(sheet: Sheet, at: Point, place: int, style: Style) -> None:
    x, y = at
    _mark(sheet, (x + 16, y - 4), 4.5, _colour(style, place), _MARKERS[place % len(_MARKERS)], 1)


def _mark(sheet: Sheet, at: Point, radius: float, colour: str, marker: str, opacity: float) -> None:
    x, y = at
    r = radius
    if marker == "circle":
        sheet.circle(at, r, colour, opacity)
    elif marker == "diamond":
        sheet.polygon([(x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y)], colour, opacity)
    elif marker == "square":
        sheet.polygon([(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)], colour, opacity)
    elif marker == "triangle":
        sheet.polygon([(x, y - 1.3 * r), (x + 1.2 * r, y + r), (x - 1.2 * r, y + r)], colour, opacity)
    else:
        sheet.polyline([(x - r, y - r), (x + r, y + r)], colour, 1.4)
        sheet.polyline([(x - r, y + r), (x + r, y - r)], colour, 1.4)


def _colour(style: Style, place: int) -> str:
    colours = COLOURS[style.theme]
    return colours[place % len(colours)]


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers inside the range, about as many as wanted."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, wanted)
    magnitude = 10.0 ** np.floor(np.log10(rough))
    step = next(magnitude * one for one in (1, 2, 2.5, 5, 10) if magnitude * one >= rough * 0.999)
    first = np.ceil(low / step - 1e-9) * step
    return [float(round(value, 12)) + 0.0 for value in np.arange(first, high + step * 1e-6, step)]
