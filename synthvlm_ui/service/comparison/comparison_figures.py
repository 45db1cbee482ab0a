"""Numbers of a comparison as they are shown and taken away: histograms over shared bins, tables, figures in files.

Knows results and file contents; measures nothing and chooses no sets.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison.figures import TITLES, Style, background, draw_histograms, draw_map
from synthvlm_ui.comparison.sheet import PngSheet, SvgSheet
from synthvlm_ui.errors import BadSetting

BINS = 40
MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv; charset=utf-8"}


def histogram_of(values: Mapping[str, NDArray[np.floating]], bins: int = BINS) -> dict[str, Any]:
    """{edges, shares{name: [...]}}: the share of each set's scored images in each bin; no edges without any number.

    Shares, so that sets of different size can be laid over one another.
    """
    finite = {name: column[np.isfinite(column)].astype(np.float64) for name, column in values.items()}
    pooled = [column for column in finite.values() if len(column)]
    if not pooled:
        return {"edges": [], "shares": {}}
    low, high = min(float(column.min()) for column in pooled), max(float(column.max()) for column in pooled)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    shares = {name: (np.histogram(column, edges)[0] / max(1, len(column))).tolist() for name, column in finite.items()}
    return {"edges": edges.tolist(), "shares": shares}


def figure(result: Mapping[str, Any], name: str, image_format: str, style: Style) -> bytes:
    """``name`` is a score, for its histograms, or "map". Raises: BadSetting for what is not there."""
    if image_format not in ("svg", "png"):
        raise BadSetting(f"no figure as {image_format!r}", fix="Choose svg or png.")
    if name not in result["columns"] and (name != "map" or "map" not in result):
        raise BadSetting(f"no figure {name!r}", fix=f"Choose one of {', '.join(result['columns'])}, or lay out a map.")
    title = _map_title(result["map"]) if name == "map" else TITLES.get(name, name)
    colour = background(style.theme)
    sheet: SvgSheet | PngSheet = (SvgSheet(style.width, style.height, colour, title) if image_format == "svg"
                                  else PngSheet(style.width, style.height, colour))
    if name == "map":
        draw_map(sheet, title, {one: np.asarray(rows, np.float64) for one, rows in result["map"]["points"].items()},
                 style)
    else:
        found = result["histograms"][name]
        draw_histograms(sheet, title, found["edges"], found["shares"], style)
    return sheet.content()


def _map_title(found: Mapping[str, Any]) -> str:
    method = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}[found["method"]]
    return f"{method} of {found['embeddings']} embeddings"


def table_csv(result: Mapping[str, Any]) -> bytes:
    """The table of sets, one row each, with the distance of each to the first."""
    columns = result["columns"]
    distances = {row["second"]: row for row in result["distances"]}
    fid = {row["second"]: row["fid"] for row in result.get("fid", ())}
    rows: list[list[Any]] = [["set", "images", *(f"{score}_{part}" for score in columns for part in ("mean", "std")),
                              "cmmd_to_first", "cmmd_chance", "own_neighbour_share", "fid_to_first"]]
    for name, one in result["sets"].items():
        apart = distances.get(name, {})
        rows.append([name, one["n"], *(one[score][part] for score in columns for part in ("mean", "std")),
                     apart.get("cmmd"), apart.get("cmmd_chance"), apart.get("own_neighbour_share"), fid.get(name)])
    return _csv(rows)


def histogram_csv(found: Mapping[str, Any]) -> bytes:
    """Bins of one score: from, to, and the share of each set."""
    names = list(found["shares"])
    rows: list[list[Any]] = [["from", "to", *names]]
    for at in range(len(found["edges"]) - 1):
        rows.append([found["edges"][at], found["edges"][at + 1], *(found["shares"][name][at] for name in names)])
    return _csv(rows)


def map_csv(found: Mapping[str, Any]) -> bytes:
    """The points of a map: set, x, y."""
    return _csv([["set", "x", "y"], *([name, x, y] for name, rows in found["points"].items() for x, y in rows)])


def file_of(result: Mapping[str, Any], name: str, image_format: str, style: Style) -> bytes:
    """One table or figure as it is taken away. Raises: BadSetting."""
    if image_format not in MEDIA_TYPES:
        raise BadSetting(f"no file as {image_format!r}", fix=f"Choose {', '.join(MEDIA_TYPES)}.")
    if image_format != "csv":
        return figure(result, name, image_format, style)
    if name == "sets":
        return table_csv(result)
    if name == "map" and "map" in result:
        return map_csv(result["map"])
    if name in result["columns"]:
        return histogram_csv(result["histograms"][name])
    raise BadSetting(f"no table {name!r}", fix=f"Choose sets, {', '.join(result['columns'])}, or lay out a map first.")


def files_of(result: Mapping[str, Any]) -> dict[str, bytes]:
    """Every table and figure by its file name."""
    files = {"sets.csv": table_csv(result)}
    for score in result["columns"]:
        files[f"{score}.csv"] = histogram_csv(result["histograms"][score])
        for image_format in ("svg", "png"):
            files[f"{score}.{image_format}"] = figure(result, score, image_format, Style())
    if "map" in result:
        files["map.csv"] = map_csv(result["map"])
        for image_format in ("svg", "png"):
            files[f"map.{image_format}"] = figure(result, "map", image_format, Style(720, 640))
    return files


def _csv(rows: list[list[Any]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([[_cell(value) for value in row] for row in rows])
    return buffer.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|")):
        return "'" + value
    return "" if value is None else value
