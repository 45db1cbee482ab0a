"""Measures the diversity room on made-up embeddings; prints one JSON line of seconds, bytes and checks.

    python tests/benchmarks/diversity.py [--rows 1000000] [--dimensions 384] [--k 20] [--skip map,elbow,browser]

The embeddings lie around 60 unequal directions with much noise, so that k-means has work to do. ``report_s`` is the
whole report with the band of five fits from embeddings in memory; peak memory is that of the process, embeddings
included. ``browser`` opens a page with the map's own script in Chromium and draws ``--points`` points.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from synthvlm_ui.diversity import Measured, measure, project, unit, wcss_curve

ROOT = Path(__file__).resolve().parents[2]
PAGE = """<!doctype html><body style="margin:0"><div id="here" style="width:1100px;height:560px"></div>
<style>canvas{width:1100px;height:560px;display:block}svg{display:none}</style>
<script type="module">
import { PointMap } from "/js/diversity/map.js";
const map = new PointMap({ onlasso() {}, onpoint() {} });
document.getElementById("here").append(map.root);
window.load = async () => {
  const buffer = await (await fetch("/points")).arrayBuffer();
  const started = performance.now();
  map.load(buffer);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - started;
};
window.pan = async (frames) => {
  const times = [];
  for (let i = 0; i < frames; i += 1) {
    const started = performance.now();
    map.view.x += 0.01;
    map.draw();
    times.push(performance.now() - started);
    await new Promise((done) => requestAnimationFrame(done));
  }
  return times;
};
window.ready = true;
</script>"""


def embeddings(rows: int, dimensions: int) -> np.ndarray[Any, np.dtype[np.float16]]:
    chance = np.random.default_rng(0)
    centres = chance.normal(size=(60, dimensions)).astype(np.float32)
    codes = chance.choice(60, rows, p=chance.dirichlet(np.ones(60)))
    found = np.empty((rows, dimensions), np.float16)
    for start in range(0, rows, 50_000):
        part = codes[start : start + 50_000]
        noise = chance.standard_normal((len(part), dimensions), np.float32)
        found[start : start + 50_000] = centres[part] + 1.5 * noise
    return found


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, round(time.perf_counter() - wall, 2), round(time.process_time() - cpu, 2)


def checks(found: Measured, rows: np.ndarray[Any, Any]) -> dict[str, float]:
    """How far the report is from scikit-learn's k-means from the same start, and from brute force."""
    from sklearn.cluster import KMeans

    shown = found.clustering.fits[0]
    theirs = KMeans(shown.k, init=shown.start, n_init=1, tol=0, max_iter=1000).fit(found.clustering.sample)
    sizes = [0] * shown.k
    for start in range(0, len(rows), 50_000):
        part = unit(rows[start : start + 50_000])
        distances = ((shown.centroids**2).sum(1) - 2 * part @ shown.centroids.T).argmin(1)
        for code, count in zip(*np.unique(distances, return_counts=True), strict=True):
            sizes[int(code)] += int(count)
    total = sum(sizes)
    bits = math.fsum(-(size / total) * math.log2(size / total) for size in sizes if size)
    said = found.sets()["made"]
    return {"inertia_over_scikit_learn": round(shown.inertia / float(theirs.inertia_), 6),
            "entropy_error": abs(said["entropy_bits"] - bits),
            "top3_error": abs(said["top3"] - sum(sorted(sizes)[-3:]) / total),
            "rows_in_another_cluster": sum(abs(a - b) for a, b in zip(sizes, said["cluster_sizes"], strict=True)) // 2}


def in_browser(points: int) -> dict[str, float]:
    """Milliseconds from the coordinates' arrival to their picture, and per frame while panning."""
    from playwright.sync_api import sync_playwright

    chance = np.random.default_rng(1)
    plane = chance.standard_normal((points, 2), np.float32)
    body = (np.uint32(points).tobytes() + plane.tobytes() + bytes(chance.integers(0, 3, points).astype(np.uint8))
            + bytes(chance.integers(0, 20, points).astype(np.uint8)))
    scripts = ROOT / "synthvlm_ui" / "ui" / "js"

    def serve(route: Any) -> None:
        path = route.request.url.removeprefix("http://map.test")
        if path == "/":
            route.fulfill(body=PAGE, content_type="text/html")
        elif path == "/points":
            route.fulfill(body=body, content_type="application/octet-stream")
        else:
            route.fulfill(path=str(scripts / path.removeprefix("/js/")), content_type="text/javascript")

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.route("http://map.test/**", serve)
        page.goto("http://map.test/")
        page.wait_for_function("window.ready")
        drawn = page.evaluate("window.load()")
        frames = page.evaluate("window.pan(40)")
        browser.close()
    return {"map_points": points, "map_drawn_ms": round(drawn, 1), "map_frame_ms": round(statistics.median(frames), 1),
            "map_frame_p95_ms": round(sorted(frames)[int(0.95 * len(frames))], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--skip", default="", help="of report, elbow, map, browser, with commas")
    options = parser.parse_args()
    skip = set(options.skip.split(","))
    found: dict[str, Any] = {"rows": options.rows, "dimensions": options.dimensions, "k": options.k}
    if "report" not in skip:
        rows = embeddings(options.rows, options.dimensions)
        measured, found["report_s"], found["report_cpu_s"] = timed(lambda: measure({"made": rows}, k=options.k))
        found["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
        said = measured.sets()["made"]
        found["entropy_bits"] = round(said["entropy_bits"], 3)
        found["band_sd"] = round(said["band"]["entropy_bits"]["sd"], 3)
        found |= checks(measured, rows)
        if "elbow" not in skip:
            _, found["elbow_s"], found["elbow_cpu_s"] = timed(lambda: list(wcss_curve(measured.clustering.sample)))
        if "map" not in skip:
            chosen = unit(rows[: options.points])
            _, found["pca_s"], _ = timed(lambda: project(chosen, "pca"))
    if "browser" not in skip:
        found |= in_browser(options.points)
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
