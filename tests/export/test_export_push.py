"""Pushing to the Hub, against a server on this machine that speaks the Hub's protocol and records what it gets."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_export_writing import items

from synthvlm_ui.errors import BadSetting, Failure, ModelUnavailable, UnreadableFile, UserError
from synthvlm_ui.export import export, plan_push, push

SITE = "https://huggingface.co"


class Hub(ThreadingHTTPServer):
    """Answers with ``status`` when it is set, else as the Hub does for small files."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.repos, self.tokens, self.status = {}, [], set(), None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        hub = self.server
        body = self.body()
        hub.tokens.add(self.headers.get("Authorization"))
        if hub.status:
            return self.answer({"error": "no"}, hub.status)
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


@pytest.fixture
def hub():
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def exported(tmp_path):
    export("imagefolder", items(3), tmp_path / "out")
    return tmp_path / "out"


def test_every_file_of_the_manifest_is_sent_and_nothing_else(exported, hub):
    (exported / "notes-to-self.txt").write_text("private")
    planned = plan_push(exported, "me/toys", private=True)
    shown = planned.to_json(dry_run=True)
    assert shown["files"] == len(planned.files) and "README.md" in shown["listing"] and not hub.repos
    assert push(planned, token="hf_secret", endpoint=hub.url) == f"{hub.url}/datasets/me/toys"
    assert set(hub.files) == set(planned.files) and "notes-to-self.txt" not in hub.files
    assert all(content == (exported / name).read_bytes() for name, content in hub.files.items())
    made = hub.repos[0]
    assert made["type"] == "dataset" and (made.get("private") is True or made.get("visibility") == "private")
    assert hub.tokens == {"Bearer hf_secret"}


@pytest.mark.parametrize(("status", "error"), [(401, UserError), (403, UserError), (400, UserError), (500, Failure)])
def test_what_the_hub_answers_is_said_in_one_line(exported, hub, status, error):
    hub.status = status
    with pytest.raises(error) as raised:
        push(plan_push(exported, "me/toys"), token="hf_secret", endpoint=hub.url)
    assert "\n" not in str(raised.value) and "hf_secret" not in str(raised.value)


def test_without_a_network_it_says_so(exported):
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        push(plan_push(exported, "me/toys"), token="x", endpoint="http://127.0.0.1:9")


def test_what_is_no_whole_export_is_not_sent(exported, tmp_path):
    for name in ("toys", "a/b/c", "me/toys; rm", "../x/y"):
        with pytest.raises(BadSetting):
            plan_push(exported, name)
    with pytest.raises(UnreadableFile):
        plan_push(tmp_path, "me/toys")
    (exported / "train/metadata.jsonl").write_text("{}")
    with pytest.raises(UnreadableFile, match="metadata.jsonl"):
        plan_push(exported, "me/toys")
