"""What the browser tests of curation share: a workspace with everything in it, and how the page is read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from served_app import until
from small_workspace import fill

from synthvlm_ui.service import Studio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from curate_workspace import make_workspace  # noqa: E402

ROWS, REAL = 1200, 60
TOYS = [f"a red cat and {number} blue stars" for number in range(8)]
OF_TOYS = 3 * len(TOYS)


def prepare(studio: Studio) -> None:
    """Two datasets: "million", made up, with real images, embeddings, NaN and failures among its scores, and "toys"."""
    make_workspace(studio.workspace.root, ROWS, 100, REAL)
    fill(studio, "toys", TOYS, 3)


def kept(page: Any) -> int:
    """How many candidates the page says are kept."""
    return whole(page.locator(".s-count b").first.inner_text())


def whole(text: str) -> int:
    return int(text.replace(",", ""))


def by_hand(page: Any) -> str:
    return str(page.locator(".s-count b").nth(2).inner_text())


def shown(page: Any) -> int:
    """How many results there are on all pages."""
    return whole(page.locator(".s-where").inner_text().rpartition(" of ")[2])


def ids(page: Any) -> list[str]:
    found = page.evaluate("[...document.querySelectorAll('.s-tile')].map((tile) => tile.dataset.id)")
    return [str(one) for one in found]


def command(page: Any) -> str:
    return str(page.locator("synth-curate synth-command code").inner_text())


def show(page: Any, what: str) -> None:
    """Chooses what is shown and waits for its tiles."""
    page.get_by_label("Show", exact=True).select_option(what)
    until(page, lambda: page.locator(".s-grid").get_attribute("data-show") == what)


def order(page: Any, by: str) -> None:
    """Chooses an order and waits for its tiles."""
    page.get_by_label("Order", exact=True).select_option(by)
    until(page, lambda: page.locator(".s-grid").get_attribute("data-order") == by)


def at(page: Any, column: str, share: float) -> tuple[float, float]:
    """A place in a histogram, from 0 at its left end to 1."""
    box = page.locator(f"[data-column={column}] .s-plot svg").bounding_box()
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def drag(page: Any, column: str, start: float, end: float) -> None:
    page.mouse.move(*at(page, column, start))
    page.mouse.down()
    page.mouse.move(*at(page, column, end), steps=8)
    page.mouse.up()
