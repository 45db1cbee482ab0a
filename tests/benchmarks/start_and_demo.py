"""How long a new user waits: from ``python app.py`` to a usable page in Chromium, and for the demo's 300 candidates.

Run: ``python tests/benchmarks/start_and_demo.py [--starts 5] [--no-demo]``. Needs Chromium and Playwright.
The last line of stdout is one JSON object; seconds are wall time, medians over the starts. A page is usable when its
heading and its demo button stand and the button can be pressed.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]
DEMO_BUTTON = "Make the demo"
PATIENCE_S = 900.0


@contextmanager
def app(workspace: Path) -> Iterator[tuple[str, float]]:
    """A running app: its address, and the moment it was started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    server = subprocess.Popen([sys.executable, "app.py", "--workspace", str(workspace), "--port", str(port)],
                              cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}", started
    finally:
        server.terminate()
        server.wait(20)


def open_page(browser: Browser, address: str, started: float) -> tuple[Page, float, float]:
    """The page, and the seconds until the server listened and until the page was usable."""
    port = int(address.rpartition(":")[2])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            if time.perf_counter() - started > 120:
                raise
            time.sleep(0.01)
    listening_s = time.perf_counter() - started
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.get_by_role("button", name=DEMO_BUTTON).wait_for(timeout=60_000)
    return page, listening_s, time.perf_counter() - started


def demo_seconds(page: Page, address: str) -> dict[str, float]:
    """Presses the button; seconds until the first picture is there and until the job is done."""
    pressed = time.perf_counter()
    page.get_by_role("button", name=DEMO_BUTTON).click()
    first_s = 0.0
    while time.perf_counter() - pressed < PATIENCE_S:
        state = page.evaluate("fetch('/gradio_api/synthvlm/state').then(answer => answer.json())")
        job = next(iter(state["jobs"]), None)
        if job and job["done"] and not first_s:
            first_s = time.perf_counter() - pressed
        if job and job["state"] not in ("queued", "running"):
            return {"candidates": job["done"], "failed": job["failed"], "first_picture_s": round(first_s, 1),
                    "all_scored_s": round(time.perf_counter() - pressed, 1)}
        page.wait_for_timeout(200)
    raise TimeoutError("the demo did not end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--no-demo", action="store_true")
    options = parser.parse_args()
    listening, usable, result = [], [], {}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for start in range(options.starts):
            with app(Path(folder) / f"start{start}") as (address, started):
                page, listening_s, usable_s = open_page(browser, address, started)
                listening.append(listening_s)
                usable.append(usable_s)
                if start == options.starts - 1 and not options.no_demo:
                    result = demo_seconds(page, address)
                page.close()
        browser.close()
    print(json.dumps({"listening_s": round(statistics.median(listening), 2),
                      "usable_page_s": round(statistics.median(usable), 2), "starts": options.starts,
                      "load_1min": round(os.getloadavg()[0], 1), "demo": result}))


if __name__ == "__main__":
    main()
