"""A Hub of Hugging Face on loopback: the requests that its clients make for a public, a gated and a missing data set.

Files are served in ranges, as the Hub serves them, so that a client reads them in part; every request is remembered.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COMMIT = "a" * 40


class HubServer:
    """Data sets by id: {path in it: content}; those in ``gated`` are listed and give no file."""

    def __init__(self, datasets: Mapping[str, Mapping[str, bytes]], gated: frozenset[str] = frozenset()) -> None:
        self.datasets, self.gated = datasets, gated
        self.requests: list[str] = []
        self.sent_bytes = 0
        self.url = ""


@contextmanager
def serving(hub: HubServer) -> Iterator[HubServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(body)

    def _answer(self, body: bytes = b"") -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        found = re.fullmatch(r"/(api/)?datasets/([\w.-]+/[\w.-]+?)(?:/(revision|tree|paths-info|resolve)/(.+))?", path)
        if found is None or found[2] not in self.hub.datasets:
            self._refuse(401 if found else 404, "RepoNotFound" if found else "EntryNotFound")
            return
        files, rest = self.hub.datasets[found[2]], found[4] or ""
        if found[3] == "resolve":
            self._file(found[2], files, rest)
        elif found[3] == "tree":
            recursive = "recursive=true" in urlsplit(self.path).query.lower()
            self._send(json.dumps(_listed(files, rest.partition("/")[2].strip("/"), recursive)).encode())
        elif found[3] == "paths-info":
            wanted = _paths(body)
            self._send(json.dumps([_entry(name, files[name]) for name in wanted if name in files]).encode())
        elif found[3] == "revision" and rest not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        else:
            self._send(json.dumps({"id": found[2], "sha": COMMIT, "gated": found[2] in self.hub.gated, "private": False,
                                   "siblings": [{"rfilename": name} for name in files]}).encode())

    def _file(self, name: str, files: Mapping[str, bytes], rest: str) -> None:
        if name in self.hub.gated:
            self._refuse(401, "GatedRepo")
            return
        content = files.get(rest.partition("/")[2])
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        self._send(content, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
                             "Accept-Ranges": "bytes"})

    def _send(self, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        part, status, extra = content, 200, dict(headers or {})
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked and headers:
            start, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
            part, status = content[start:end + 1], 206
            extra["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self.send_response(status)
        for key, value in {**extra, "Content-Length": str(len(part)), "Content-Type": "application/json"}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.hub.sent_bytes += len(part)
            self.wfile.write(part)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _listed(files: Mapping[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """What lies in a folder, folders too, as the Hub lists it."""
    below = [name for name in files if not folder or name.startswith(folder + "/")]
    folders = {str(parent) for name in below for parent in PurePosixPath(name).parents} - {".", folder}
    folders -= {str(parent) for parent in PurePosixPath(folder).parents}
    entries = [{"type": "directory", "path": name, "size": 0, "oid": COMMIT} for name in sorted(folders)]
    entries += [_entry(name, files[name]) for name in below]
    here = folder or "."
    return [entry for entry in entries if recursive or str(PurePosixPath(entry["path"]).parent) == here]


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _paths(body: bytes) -> list[str]:
    try:
        given = json.loads(body)["paths"]
    except ValueError:
        given = parse_qs(body.decode())["paths"]
    return [given] if isinstance(given, str) else list(given)


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), number * 9 % 256, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def table(numbers: range, padding: int = 0) -> bytes:
    """Images inside, as the library ``datasets`` uploads them, and their captions."""
    features = {"image": {"_type": "Image"}, "caption": {"dtype": "string", "_type": "Value"}}
    images = [{"bytes": picture(number) + os.urandom(padding), "path": f"{number}.png"} for number in numbers]
    columns = {"image": pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
               "caption": [f"caption {number}" for number in numbers]}
    said = {"huggingface": json.dumps({"info": {"features": features}})}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(said), buffer, row_group_size=10)
    return buffer.getvalue()
