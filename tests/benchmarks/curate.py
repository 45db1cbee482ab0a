"""Measures curation on a million made-up candidates through the served app; prints one JSON object.

    python tests/benchmarks/curate.py [--keep DIR] [--rows 1000000] [--times 200] [--clients 20] [--only ...]

The app runs as its users start it and is asked over one kept-open connection per client, so every figure holds the
route, the threads and the JSON, but no browser (tests/benchmarks/curate_browser.py has one). p50 and p95 in ms over
``--times`` operations. ``near-duplicates`` makes 10,000 images with 200 exact and 300 near copies and looks for them.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import psutil
from curate_workspace import DATASET, make_workspace
from PIL import Image, ImageEnhance

ROUTES = "/gradio_api/synthvlm"
REPOSITORY = Path(__file__).resolve().parents[2]
FAST = ["yield", "histograms"]


class Client:
    """One connection to the app, as one browser has it."""

    def __init__(self, port: int, actor: str = "bench") -> None:
        self.actor, self.connection = actor, http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.used = 0.0

    def post(self, path: str, body: dict[str, Any], reads: bool = True) -> dict[str, Any]:
        return self._ask("POST", path, json.dumps(body), reads)

    def get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: str | None = None, reads: bool = True) -> dict[str, Any]:
        headers = {"content-type": "application/json", "x-synthvlm-actor": self.actor}
        if time.monotonic() - self.used > 3:  # The server lets go of connections that rest for 5 s.
            self.connection.close()
        self.connection.request(method, ROUTES + path, body, headers)
        answer = self.connection.getresponse()
        self.used = time.monotonic()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(content[:500].decode())
        self.bytes = len(content)
        return json.loads(content) if reads else {}

    def view(self, rule: dict[str, Any], parts: list[str], reads: bool = True, **more: Any) -> dict[str, Any]:
        """``reads=False`` spares the making of objects from the answer, which browsers do on their own machines."""
        return self.post("/curate/view", {"rule": {"dataset": DATASET, **rule}, "parts": parts, **more}, reads)


class App:
    """``python app.py`` on a free port."""

    def __init__(self, workspace: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.started = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "app.py", "--workspace", str(workspace), "--port",
                                         str(self.port)], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - self.started > 300:
                    raise SystemExit("the app did not start") from None
                time.sleep(0.02)

    def memory(self) -> dict[str, float]:
        used = psutil.Process(self.process.pid).memory_full_info()
        return {"uss_mb": round(used.uss / 1e6, 1), "rss_mb": round(used.rss / 1e6, 1)}

    def cpu_s(self) -> float:
        """Seconds that it has computed."""
        return cpu_of(psutil.Process(self.process.pid))

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def spread(action: Callable[[int], Any], times: int) -> dict[str, float]:
    taken = []
    for number in range(times):
        start = time.perf_counter()
        action(number)
        taken.append((time.perf_counter() - start) * 1e3)
    return summary(taken)


def summary(taken: list[float]) -> dict[str, float]:
    return {"p50": round(float(np.percentile(taken, 50)), 1), "p95": round(float(np.percentile(taken, 95)), 1)}


def measure(app: App, times: int, clients: int) -> dict[str, Any]:
    client, chance = Client(app.port), np.random.default_rng(0)
    found: dict[str, Any] = {"listening_s": round(time.perf_counter() - app.started, 2)}
    start = time.perf_counter()
    first = client.view({}, ["yield", "histograms", "page", "command"])
    found |= {"first_view_s": round(time.perf_counter() - start, 2), "first_view_bytes": client.bytes,
              "candidates": first["yield"]["total"], "real": first["yield"]["real_total"]}
    time.sleep(5)  # The order is sorted and the captions are read in the background.
    cuts = chance.uniform(0.22, 0.38, (times, 2))

    def rule(number: int) -> dict[str, Any]:
        return {"clip_min": round(float(cuts[number, 0]), 6), "ssim_min": round(float(cuts[number, 1]) * 2.5, 6)}

    found["drag_counts_and_histograms"] = spread(lambda n: client.view(rule(n), FAST), times)
    found["drag_with_first_page"] = spread(lambda n: client.view(
        {"clip_min": rule(n)["clip_min"] - 0.05}, [*FAST, "page"]), times)
    found["lambda"] = spread(lambda n: client.view(
        {"ssim_weight": 0.1 + n * 0.003}, [*FAST, "page"]), max(times // 4, 5))
    client.view({}, ["page"])
    time.sleep(2)
    total = first["page"]["total"]
    client.view({}, ["page"], page={"offset": total // 2, "limit": 48})
    found["page_of_48_at_any_offset"] = spread(lambda n: client.view(
        {}, ["page"], page={"offset": int(chance.integers(0, total)), "limit": 48}), times)
    found["page_of_500_at_any_offset"] = spread(lambda n: client.view(
        {}, ["page"], page={"offset": int(chance.integers(0, total)), "limit": 500}), times)
    found["slower_parts"] = {part: spread(lambda n, part=part: client.view(rule(n), [part]), min(times, 20))
                             for part in ("strip", "datasets", "entropy", "judged", "statistics")}
    found |= look_for_near_duplicates(app, client, rule)
    found["drag_without_near_duplicates"] = spread(
        lambda n: client.view({**rule(n), "near_duplicates": "phash"}, FAST), min(times, 50))
    found |= acts(client, times, chance)
    found |= searches(client, times)
    found["others_see_a_verdict_s"] = seen_after(app)
    return {**found, **measure_together(app, times, clients, settled=True)}


def look_for_near_duplicates(app: App, client: Client, rule: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """How long the first look takes (none when an earlier run has left its table), and a drag meanwhile."""
    start, meanwhile, number = time.perf_counter(), list[float](), 0
    wanted = {"near_duplicates": "phash"}
    while "waiting" in client.view(wanted, FAST):
        for _ in range(10):
            begun, number = time.perf_counter(), number + 1
            client.view(rule(number % 50), FAST)
            meanwhile.append((time.perf_counter() - begun) * 1e3)
            time.sleep(0.1)
    taken = round(time.perf_counter() - start, 2)
    return {"first_look_for_near_duplicates_s": taken, "drag_meanwhile": summary(meanwhile) if meanwhile else None,
            "uss_mb_after_it": app.memory()["uss_mb"]}


def measure_together(app: App, times: int, clients: int, settled: bool = False) -> dict[str, Any]:
    """Only the people who drag at once, on an app that has settled, and the memory before and most of all meanwhile."""
    if not settled:
        Client(app.port).view({}, ["yield", "histograms", "page", "command"])
    time.sleep(5)
    found: dict[str, Any] = {"memory_at_rest": app.memory()}
    most, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            most.append(app.memory()["uss_mb"])

    watching = threading.Thread(target=watch)
    watching.start()
    found |= together(app, clients, max(times // 10, 5))
    done.set()
    watching.join()
    return {**found, "most_uss_mb_meanwhile": max(most)}


def acts(client: Client, times: int, chance: np.random.Generator) -> dict[str, Any]:
    ids = [item["id"] for item in client.view({}, ["page"], page={"limit": 500})["page"]["items"]]
    found = {"verdict": spread(lambda n: client.post("/verdict", {
        "ids": [ids[n % len(ids)]], "verdict": ("keep", "reject")[n % 2]}), times)}
    found["undo_single"] = spread(lambda n: client.post("/undo", {}), times)
    shares = np.quantile(np.array(client.view({}, ["histograms"])["histograms"]["clip_cosine"]["percentiles"]), 0.63)
    counts: list[int] = []

    def bulk(number: int) -> None:
        rule = {"dataset": DATASET, "clip_min": float(shares) + number * 1e-6, "guards": False}
        what = {"rule": rule, "show": "kept"}
        counts.append(client.post("/verdict", {"all": what, "verdict": "keep"})["changed"])

    found["bulk_verdict"] = spread(bulk, 10)
    found["bulk_rows"] = int(np.median(counts))
    found["undo_bulk"] = spread(lambda n: client.post("/undo", {}), 10)
    return found


def searches(client: Client, times: int) -> dict[str, Any]:
    words = ("red cat", '"tiny red cat"', "boat -blue", "lant*", "near", "number 12345")
    dataset = {"dataset": DATASET}
    client.post("/curate/find", {"rule": dataset, "find": {"text": "cat"}})
    found: dict[str, Any] = {"text_search": spread(lambda n: client.post("/curate/find", {
        "rule": dataset, "find": {"text": words[n % len(words)]}}), times)}
    some = client.view({}, ["page"], page={"limit": 48})["page"]["items"]
    start = time.perf_counter()
    client.get(f"/candidate/{some[0]['id']}/neighbours")
    found["first_neighbours_s"] = round(time.perf_counter() - start, 2)
    found["more_like_this"] = spread(lambda n: client.post("/curate/find", {
        "rule": dataset, "find": {"like": some[n]["id"]}}), min(times, 10))
    found["candidate"] = spread(lambda n: client.get(f"/candidate/{some[n % 48]['id']}"), min(times, 48))
    return found


def seen_after(app: App) -> float:
    """Seconds until another browser's waiting question is answered with a verdict."""
    one, other = Client(app.port, "one"), Client(app.port, "other")
    last = one.get("/curate/news?after=0&wait=0")["last_event"]
    identity = one.view({}, ["page"], page={"limit": 1})["page"]["items"][0]["id"]
    answered: list[float] = []

    def wait() -> None:
        news = other.get(f"/curate/news?after={last}&wait=20")
        assert news["events"][0]["actor"] == "one"
        answered.append(time.perf_counter())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(1)
    start = time.perf_counter()
    one.post("/verdict", {"ids": [identity], "verdict": "keep"})
    waiting.join()
    return round(answered[0] - start, 2)


def together(app: App, clients: int, drags: int = 20) -> dict[str, Any]:
    """Everybody drags at once, each asking again when answered, and decides between drags."""
    taken: list[float] = []
    decided: list[int] = []

    def work(number: int) -> None:
        client, chance = Client(app.port, f"person-{number}"), np.random.default_rng(number)
        page = client.view({}, ["page"], page={"offset": 500 * number, "limit": 48})["page"]
        ids = [item["id"] for item in page["items"]]
        for step in range(drags):
            start = time.perf_counter()
            client.view({"clip_min": float(chance.uniform(0.22, 0.38))}, [*FAST, "page"])
            taken.append((time.perf_counter() - start) * 1e3)
            decided.append(client.post("/verdict", {"ids": [ids[step]], "verdict": "reject"})["event_id"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = Client(app.port)
    recorded: set[int] = set()
    after = min(decided) - 1
    while True:
        events = [event["id"] for event in client.get(f"/curate/news?after={after}")["events"]]
        if not events:
            break
        recorded.update(events)
        after = max(events)
    return {"clients": clients, "drags_at_once": summary(taken), "verdicts_at_once": len(decided),
            "verdicts_lost": len(set(decided) - recorded)}


def near_duplicates(count: int = 10_000, exact: int = 200, near: int = 300) -> dict[str, Any]:
    """Images of 256 px with planted copies: how many are found, how many others are, images a second on all cores.

    A near copy is one of: stored as JPEG of quality 40, made smaller by half and larger again, 6 % brighter or darker
    with more contrast, 2 % cut off at each side, with noise of 4 grey levels.
    """
    from synthvlm_ui.scoring import GuardScorer
    from synthvlm_ui.selection import DUPLICATE_RADIUS_BITS, near_pairs

    chance = np.random.default_rng(5)
    originals = [made_up_image(chance) for _ in range(count - exact - near)]
    sources = chance.choice(len(originals), exact + near, replace=False)
    copies = [originals[source] if place < exact else altered(originals[source], place, chance)
              for place, source in enumerate(sources)]
    images = originals + copies
    start = time.perf_counter()
    scorer, hashes = GuardScorer(), []
    for first in range(0, len(images), 500):
        hashes.append(scorer.score(images[first : first + 500], [""] * 500).columns["phash"])
    hashed_s = time.perf_counter() - start
    phash = np.concatenate(hashes).astype(np.uint64)
    left, right = near_pairs(phash, DUPLICATE_RADIUS_BITS)
    pairs = set(zip(left.tolist(), right.tolist(), strict=True))
    order = np.argsort(phash, kind="stable")
    for one, other in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if phash[one] == phash[other]:
            pairs.add((min(one, other), max(one, other)))
    whole_s = time.perf_counter() - start
    planted = {(int(source), len(originals) + place) for place, source in enumerate(sources)}
    hits = [pair in pairs for pair in sorted(planted, key=lambda pair: pair[1])]
    return {"images": len(images), "images_per_s": round(len(images) / whole_s, 1), "hashing_s": round(hashed_s, 2),
            "pairing_s": round(whole_s - hashed_s, 2), "exact_found": f"{sum(hits[:exact])} of {exact}",
            "near_found": f"{sum(hits[exact:])} of {near}", "false_pairs": len(pairs - planted)}


def made_up_image(chance: np.random.Generator) -> np.ndarray:
    """A picture with large shapes and fine grain, unlike any other."""
    low = chance.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(low).resize((256, 256), Image.Resampling.BICUBIC)).astype(np.int16)
    for _ in range(4):
        x, y, width, height = chance.integers(10, 200), chance.integers(10, 200), *chance.integers(12, 90, 2)
        smooth[y : y + height, x : x + width] = chance.integers(0, 256, 3)
    return np.clip(smooth + chance.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)


def altered(image: np.ndarray, kind: int, chance: np.random.Generator) -> np.ndarray:
    picture = Image.fromarray(image)
    if kind % 5 == 0:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=40)
        return np.asarray(Image.open(buffer).convert("RGB"))
    if kind % 5 == 1:
        return np.asarray(picture.resize((128, 128), Image.Resampling.BICUBIC).resize((256, 256)))
    if kind % 5 == 2:
        brighter = ImageEnhance.Brightness(picture).enhance(1.06 if chance.random() < 0.5 else 0.94)
        return np.asarray(ImageEnhance.Contrast(brighter).enhance(1.05))
    if kind % 5 == 3:
        return np.asarray(picture.crop((5, 5, 251, 251)).resize((256, 256), Image.Resampling.BICUBIC))
    return np.clip(image.astype(np.int16) + chance.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--only", choices=("near-duplicates", "app", "together"))
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.only in (None, "near-duplicates"):
        found["near_duplicates"] = near_duplicates()
    if options.only != "near-duplicates":
        with tempfile.TemporaryDirectory() as scratch:
            root = options.keep or Path(scratch) / "workspace"
            found |= make_workspace(root, options.rows)
            app = App(root)
            try:
                found |= (measure if options.only != "together" else measure_together)(
                    app, options.times, options.clients)
            finally:
                app.end()
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}, indent=1))


if __name__ == "__main__":
    main()
