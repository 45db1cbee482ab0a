"""A server that speaks chat completions and misbehaves as it is told: it fails, stalls, limits, and talks nonsense."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes] | None  # None: takes the request and never answers
Misbehave = Callable[[int, dict[str, Any]], "Reply | str"]


def completion(text: str, tokens: int = 50) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                       "usage": {"total_tokens": tokens}}).encode()


def well_behaved(_number: int, _body: dict[str, Any]) -> str:
    return "This is an image of a thing."


@dataclass
class FakeServer:
    """``answer(number, body)`` gives a text, or status, headers and content; every request is kept."""

    answer: Misbehave = well_behaved
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_a_time: int = 0
    url: str = ""
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def enter(self, body: dict[str, Any], headers: dict[str, str]) -> int:
        with self._lock:
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)
            self.requests.append(body)
            self.headers.append(headers)
            return len(self.requests) - 1

    def leave(self) -> None:
        with self._lock:
            self._now -= 1

    @property
    def name(self) -> str:
        return f"openai:fake@{self.url}"


@contextmanager
def fake_server(answer: Misbehave = well_behaved) -> Iterator[FakeServer]:
    state = FakeServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = state.enter(body, dict(self.headers))
            try:
                reply = state.answer(number, body)
            finally:
                state.leave()
            if reply is None:
                state.closing.wait(5)
                self.close_connection = True
                return
            status, headers, content = (200, {}, completion(reply)) if isinstance(reply, str) else reply
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if "X-Drip" in headers:
                self.end_headers()
                while not state.closing.wait(0.05):
                    self.wfile.write(b" ")
                self.close_connection = True
                return
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                pass

        def log_message(self, *_arguments: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # The usual queue of five refuses some of a burst when the machine is busy, and a refused request is spent too.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()


def slowly(seconds: float, text: str) -> str:
    time.sleep(seconds)
    return text
