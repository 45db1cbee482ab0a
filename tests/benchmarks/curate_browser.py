"""Measures the Curate tab in Chromium on a large workspace; prints one JSON line of p50 and p95 in ms.

    python tests/benchmarks/curate_browser.py WORKSPACE [--dataset NAME] [--times 200]

WORKSPACE is what ``curate_workspace.py`` makes. A process of its own serves it; every figure is taken in the page, from
the event of a hand to the tiles that answer it: in the document, and with the pictures of the visible tiles decoded.
The order is "worst CLIPScore first", where every step of a threshold brings other tiles.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "e2e"), str(Path(__file__).resolve().parents[2])]

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from served_app import ServedApp  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
VIEWPORT = {"width": 1280, "height": 900}
PAGE_SIZE = 48

# Answers with {dom, decoded}: ms from the event that ``act`` sends to what the tiles show of it.
MEASURE = """
async ([act, value]) => {
  const grid = document.querySelector('.s-grid');
  const acts = {
    drag: (share) => {
      const plot = document.querySelector('[data-column=clip_cosine] .s-plot');
      const box = plot.querySelector('svg').getBoundingClientRect();
      plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + share * box.width, clientY: box.top + 20,
        bubbles: true, pointerId: 1, isPrimary: true, button: 0}));
    },
    weight: (share) => {
      const slider = document.querySelector('[aria-label="Weight lambda of SSIM"]');
      slider.value = (0.3 + share).toFixed(2);
      slider.dispatchEvent(new Event('input', {bubbles: true}));
    },
    page: (share) => {
      const slider = document.querySelector('.s-pager .s-slider');
      slider.value = Math.floor(share * Number(slider.max));
      slider.dispatchEvent(new Event('input', {bubbles: true}));
    },
  };
  const before = grid.dataset.shown;
  const shown = new Promise((resolve) => {
    const watcher = new MutationObserver(() => {
      if (grid.dataset.shown === before) return;
      watcher.disconnect();
      resolve(performance.now());
    });
    watcher.observe(grid, {attributes: true, attributeFilter: ['data-shown']});
  });
  performance.clearResourceTimings();
  const start = performance.now();
  acts[act](value);
  const dom = await shown - start;
  const [asked] = performance.getEntriesByType('resource').filter((one) => one.name.endsWith('curate/view'));
  const visible = [...document.querySelectorAll('.s-tile img')].filter((image) => {
    const box = image.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  const has = (image) => image.hasAttribute('src') || image.parentElement.classList.contains('s-missing');
  const drawn = (image) => has(image) || new Promise((resolve) => new MutationObserver((_, watcher) => {
    if (has(image)) { watcher.disconnect(); resolve(); }
  }).observe(image.parentElement, {attributes: true, subtree: true, attributeFilter: ['src', 'class']}));
  await Promise.all(visible.map(async (image) => { await drawn(image); await image.decode().catch(() => 0); }));
  return {dom, decoded: performance.now() - start, answer: asked ? asked.duration : 0, visible: visible.length,
    empty: visible.filter((image) => !image.naturalWidth).length, first: document.querySelector('.s-tile').dataset.id};
}
"""
GRAB = """
() => {
  const plot = document.querySelector('[data-column=clip_cosine] .s-plot');
  plot.setPointerCapture = () => {};
  const line = plot.querySelector('.s-line-min').getBoundingClientRect();
  line.x; plot.dispatchEvent(new PointerEvent('pointerdown', {clientX: line.x + line.width / 2, clientY: line.y + 20,
    bubbles: true, pointerId: 1, isPrimary: true, button: 0, pointerType: 'mouse'}));
}
"""
RELEASE = """() => document.querySelector('[data-column=clip_cosine] .s-plot').dispatchEvent(
  new PointerEvent('pointerup', {pointerId: 1, isPrimary: true, bubbles: true}))"""


def open_page(browser: Browser, app: ServedApp, dataset: str | None) -> tuple[Page, dict[str, Any]]:
    """The tab on its first tiles, and what it cost to get there."""
    page = browser.new_page(viewport=VIEWPORT)
    payloads: list[tuple[str, int]] = []
    page.on("requestfinished", lambda request: payloads.append((request.url, request.sizes()["responseBodySize"])))
    start = time.perf_counter()
    page.goto(app.address + "#curate" + (f"?dataset={dataset}" if dataset else ""))
    page.locator(".s-tile").first.wait_for(timeout=60_000)
    took = time.perf_counter() - start
    page.wait_for_timeout(1500)
    own = [(url, size) for url, size in payloads if "/synthvlm/" in url]
    data = sum(size for url, size in own if "/static/" not in url and "/thumb" not in url)
    return page, {"open_to_tiles_s": round(took, 2), "first_data_kb": round(data / 1000, 1),
                  "own_scripts_kb": round(sum(size for url, size in own if "/static/" in url) / 1000, 1),
                  "thumbnails_kb": round(sum(size for url, size in own if "/thumb" in url) / 1000, 1),
                  "everything_kb": round(sum(size for _, size in payloads) / 1000, 1)}


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"p50": round(statistics.median(ordered), 1), "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1)}


def series(page: Page, server: int, act: str, times: int) -> dict[str, Any]:
    """``times`` steps of a hand, at pseudo-random places; CPU time per step tells what a busy machine hides."""
    page.evaluate(MEASURE, [act, 0.5])
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = cpu_s(server), busy_s(session)
    found = [page.evaluate(MEASURE, [act, 0.05 + 0.9 * ((step * 0.6180339887) % 1.0)]) for step in range(times)]
    after = cpu_s(server), busy_s(session)
    return {"dom": spread([one["dom"] for one in found]), "decoded": spread([one["decoded"] for one in found]),
            "answer": spread([one["answer"] for one in found]),
            "different_first_tiles": len({one["first"] for one in found}),
            "visible": found[-1]["visible"], "without_picture": sum(one["empty"] for one in found),
            "server_cpu": round(1e3 * (after[0] - before[0]) / times, 1),
            "page_cpu": round(1e3 * (after[1] - before[1]) / times, 1)}


def cpu_s(process: int) -> float:
    """Seconds a process has computed."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s(session: Any) -> float:
    """Seconds the page's main thread has worked."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def measure(page: Page, server: int, times: int) -> dict[str, Any]:
    for label, value in (("Show", "kept"), ("Order", "-clip_cosine"), ("Per page", str(PAGE_SIZE))):
        page.get_by_label(label, exact=True).select_option(value)
    page.wait_for_timeout(1500)
    page.evaluate(GRAB)
    found: dict[str, Any] = {"threshold": series(page, server, "drag", times)}
    page.evaluate(MEASURE, ["drag", 0.3])
    page.evaluate(RELEASE)
    page.wait_for_timeout(1000)
    found["page"] = series(page, server, "page", times)
    page.get_by_label("Order", exact=True).select_option("combined")
    page.wait_for_timeout(1000)
    found["lambda"] = series(page, server, "weight", times)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--dataset")
    parser.add_argument("--times", type=int, default=200)
    options = parser.parse_args()
    app = ServedApp(options.workspace, "--read-only")
    started = time.monotonic() - app.started
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page, opening = open_page(browser, app, options.dataset)
            rows = app.ask("state")["summary"]["datasets"]
            found = {"rows": sum(one["candidates"] for one in rows), "server_listens_s": round(started, 2), **opening,
                     **measure(page, app.process.pid, options.times), "times": options.times,
                     "load": [round(os.getloadavg()[0], 1), os.cpu_count()]}
            browser.close()
    finally:
        app.end()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
