"""Fifty people curate a million made-up candidates at once, beside clients that got stuck; prints one JSON object.

    python tests/benchmarks/load.py [--keep DIR] [--rows 1000000] [--people 50] [--minutes 10] [--stuck 10]

Each person drags a threshold (five positions a second, each answered with counts, histograms and a page), looks at the
result for some seconds, decides on three candidates, pages on, and hears of the others' verdicts all the while. Stuck
clients send half a request, or ask for a page and never read it. Reported are the times of drags and verdicts, the
memory of the serving process over time, verdicts that were acknowledged and are not in the journal, and the cores that
the server and all people together kept busy: people that need as many as the server make the times too long. On stderr
it is the line of the README's table.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from curate import FAST, ROUTES, App, Client, cpu_of, summary
from curate_workspace import DATASET, make_workspace

POSITIONS_A_DRAG, POSITION_EVERY_S = 5, 0.2
LOOKS_S = (2.0, 6.0)
PAGE = 48
MEMORY_EVERY_S = 10.0
SETTLES_S = 5.0  # the order is sorted and the captions are read in the background


@dataclass
class Seen:
    """What all people together have measured; lists are appended to, which threads may do at once."""

    drags_ms: list[float] = field(default_factory=list)
    verdicts_ms: list[float] = field(default_factory=list)
    decided: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    news: list[int] = field(default_factory=list)


def person(app: App, number: int, until: float, rows: int, seen: Seen) -> None:
    client, chance = Client(app.port, f"person-{number}"), np.random.default_rng(number)
    try:
        while time.monotonic() < until:
            rule: dict[str, Any] = {}
            for _ in range(POSITIONS_A_DRAG):
                begun = time.perf_counter()
                rule = {"clip_min": round(float(chance.uniform(0.22, 0.36)), 3)}
                client.view(rule, [*FAST, "page"], reads=False, page={"offset": 0, "limit": PAGE})
                taken = time.perf_counter() - begun
                seen.drags_ms.append(taken * 1e3)
                time.sleep(max(0.0, POSITION_EVERY_S - taken))
            offset = int(chance.integers(0, rows // 20))
            items = client.view(rule, ["page"], page={"offset": offset, "limit": PAGE})["page"]["items"]
            for item in items[:3]:
                time.sleep(float(chance.uniform(0.3, 0.8)))
                begun = time.perf_counter()
                verdict = "keep" if chance.random() < 0.5 else "reject"
                seen.decided.append(client.post("/verdict", {"ids": [item["id"]], "verdict": verdict})["event_id"])
                seen.verdicts_ms.append((time.perf_counter() - begun) * 1e3)
            time.sleep(float(chance.uniform(*LOOKS_S)))
    except Exception as error:
        seen.broken.append(f"person-{number}: {type(error).__name__}: {error}"[:200])


def listener(app: App, number: int, until: float, seen: Seen) -> None:
    """The page of the same person in the background: asks for news and waits for them."""
    client, after = Client(app.port, f"person-{number}"), 0
    try:
        while time.monotonic() < until:
            news = client.get(f"/curate/news?after={after}&wait=20")
            seen.news.append(len(news["events"]))
            after = max(after, news["last_event"])
    except Exception as error:
        seen.broken.append(f"listener-{number}: {type(error).__name__}: {error}"[:200])


def get_stuck(port: int, number: int) -> socket.socket:
    """Half a request, or a whole one whose answer is never read."""
    stuck = socket.create_connection(("127.0.0.1", port))
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    body = json.dumps({"rule": {"dataset": DATASET}, "parts": ["page"], "page": {"offset": 0, "limit": 500}})
    head = (f"POST {ROUTES}/curate/view HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
    stuck.sendall((head + body if number % 2 else head + body[:20]).encode())
    return stuck


def remembered(app: App, decided: list[int]) -> set[int]:
    client, after, found = Client(app.port), min(decided) - 1, set[int]()
    while events := [event["id"] for event in client.get(f"/curate/news?after={after}")["events"]]:
        found.update(events)
        after = max(events)
    return found


def load(app: App, rows: int, people: int, minutes: float, stuck: int) -> dict[str, Any]:
    seen, own = Seen(), psutil.Process()
    Client(app.port).view({}, [*FAST, "page"])
    time.sleep(SETTLES_S)
    computed, began = (app.cpu_s(), cpu_of(own)), time.monotonic()
    until = began + 60 * minutes
    held = [get_stuck(app.port, number) for number in range(stuck)]
    threads = [threading.Thread(target=person, args=(app, number, until, rows, seen)) for number in range(people)]
    threads += [threading.Thread(target=listener, args=(app, number, until, seen), daemon=True)
                for number in range(people)]
    for thread in threads:
        thread.start()
    memory = []
    while time.monotonic() < until:
        memory.append(app.memory()["uss_mb"])
        time.sleep(min(MEMORY_EVERY_S, max(0.1, until - time.monotonic())))
    for thread in threads:
        thread.join(60)
    for one in held:
        one.close()
    lasted, spent = time.monotonic() - began, (app.cpu_s() - computed[0], cpu_of(own) - computed[1])
    third = max(1, len(memory) // 3)
    return {"rows": rows, "people": people, "minutes": minutes, "stuck": stuck, "drags": len(seen.drags_ms),
            "drag_ms": summary(seen.drags_ms), "verdicts": len(seen.decided), "verdict_ms": summary(seen.verdicts_ms),
            "verdicts_lost": len(set(seen.decided) - remembered(app, seen.decided)), "broken": seen.broken[:5],
            "news_answers": len(seen.news),
            "cores_used": {"server": round(spent[0] / lasted, 2), "people": round(spent[1] / lasted, 2)},
            "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count(),
            "uss_mb": {"first": memory[0], "most": max(memory), "last": memory[-1],
                       "second_third": round(float(np.median(memory[third:2 * third])), 1),
                       "last_third": round(float(np.median(memory[-third:])), 1)}}


def row_of(found: dict[str, Any]) -> str:
    """The line of the README's table."""
    memory, cores = found["uss_mb"], found["cores_used"]
    what = (f"{found['people']} people on {found['rows']:,} candidates for {found['minutes']:g} minutes beside "
            f"{found['stuck']} stuck clients: drags, p95; verdicts acknowledged, p95, lost; memory at the start, most, "
            "at the end; cores kept busy by the server, by the people")
    figures = (f"{found['drags']:,}, {found['drag_ms']['p95']:.0f} ms; {found['verdicts']:,}, "
               f"{found['verdict_ms']['p95']:.0f} ms, {found['verdicts_lost']}; {memory['first']:.0f}, "
               f"{memory['most']:.0f}, {memory['last']:.0f} MB; {cores['server']}, {cores['people']} "
               f"(load {found['load']})")
    return f"| {what} | {figures} | `tests/benchmarks/load.py` |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="the workspace, made when it is not there")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--stuck", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        workspace = options.keep or Path(temporary) / "workspace"
        make_workspace(workspace, options.rows)
        app = App(workspace)
        try:
            found = load(app, options.rows, options.people, options.minutes, options.stuck)
            print(row_of(found), file=sys.stderr)
            print(json.dumps(found))
        finally:
            app.end()


if __name__ == "__main__":
    main()
