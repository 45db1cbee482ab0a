"""A Hub of Hugging Face on loopback that takes data sets: speaks what its client says in a push, and records it."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SITE = "https://huggingface.co"


class Hub(ThreadingHTTPServer):
    """Answers inside of a ``with``: with ``status`` when it is set, else as the Hub does for small files."""

    def __init__(self, handler=None):
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.files, self.repos, self.tokens, self.status = {}, [], set(), None

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        hub = self.server
        body = self.body()
        hub.tokens.add(self.headers.get("Authorization"))
        if hub.status:
            return self.answer({"error": f"no, {self.headers.get('Authorization')}"}, hub.status)
        if self.path == "/api/repos/create":
            hub.repos.append(json.loads(body))
            return self.answer({"url": f"{SITE}/datasets/me/toys", "id": "me/toys"})
        if "/preupload/" in self.path:
            files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                     for one in json.loads(body)["files"]]
            return self.answer({"files": files})
        if "/commit/" not in self.path:
            return self.answer({"errors": [], "warnings": []})
        for row in map(json.loads, body.splitlines()):
            if row["key"] == "file":
                hub.files[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
        return self.answer({"commitUrl": f"{SITE}/datasets/me/toys/commit/1", "commitOid": "1", "success": True})

    def body(self):
        if self.headers["Content-Length"]:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)

    def do_GET(self):
        repository = {"id": "me/toys", "private": True, "sha": "1", "siblings": []}
        self.answer({"error": "no"} if self.server.status else repository, self.server.status or 200)

    def answer(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass
