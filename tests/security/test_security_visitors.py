"""Two strangers on a public demo: no route tells one what the other does, and the owner's files stay as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from small_workspace import CAPTIONS, REPEATS, fill
from test_security_requests import filled, own_routes

from synthvlm_ui.service import Studio
from synthvlm_ui.service.export.export_desk import ExportRequest
from synthvlm_ui.ui.access.visiting import COOKIE
from synthvlm_ui.ui.routes.api import PREFIX

SECRET = "only the first visitor may read this"
RULE = {"rule": {"dataset": "small"}}
# Free memory and disk space differ from one moment to the next.
UNSTEADY = (PREFIX + "/info", PREFIX + "/generators", PREFIX + "/train/choices")
OWNERS_ONLY = ("/hub/preview", "/hub/import", "/hub/images", "/train/start", "/train/look", "/train/evaluate",
               "/train/try", "/findings/start", "/compare/fid", "/heads/learn")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("playwright")
    from served_app import ServedApp

    workspace = tmp_path_factory.mktemp("demo") / "workspace"
    studio = Studio.open(workspace)
    fill(studio, "small", CAPTIONS, REPEATS)
    studio.curation.select("owners", studio.curation.rule("small"))
    studio.close()
    app = ServedApp(workspace, "--visitors", "on", "--visitor-limits", "images=40,rows=100")
    yield app
    app.end()


@pytest.fixture
def stranger(demo: Any) -> Iterator[Any]:
    """``stranger(page=True)``: another browser; without ``page`` it has no cookie."""
    opened: list[Stranger] = []

    def come(page: bool = True) -> Stranger:
        opened.append(Stranger(demo.address, page))
        return opened[-1]

    yield come
    for one in opened:
        one.client.close()


class Stranger:
    """A browser with cookies of its own."""

    def __init__(self, address: str, page: bool = True) -> None:
        self.client = httpx.Client(base_url=address, timeout=60)
        if page:
            assert self.client.get("/").status_code == 200

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(PREFIX + path, json=body)

    def did(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.post(path, body)
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        return dict(answer.json())

    def sees(self, gets: list[str]) -> dict[str, str]:
        """What every route that reads answers."""
        found = {path: self.client.get(path).text for path in gets}
        found["view"] = self.post("/curate/view", {**RULE, "parts": ["yield", "page", "datasets", "judged"]}).text
        found["rules"] = self.post("/captions/rules/view", {"dataset": "small"}).text
        return found


def digests(workspace: Path) -> dict[str, str]:
    return {str(path.relative_to(workspace)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(workspace.rglob("*")) if path.is_file() and path.name != ".app.lock"
            and path.relative_to(workspace).parts[0] != "visitors" and not path.name.endswith(("-shm", "-wal"))}


def act(stranger: Stranger) -> tuple[list[str], list[str]]:
    """Everything a visitor can do; returns the ids of jobs and of what was drawn."""
    view = stranger.did("/curate/view", {**RULE, "parts": ["page"]})
    ids = [row["id"] for row in view["page"]["items"]][:3]
    stranger.did("/verdict", {"ids": ids, "verdict": "keep"})
    stranger.did("/select", {"name": "strangers", **RULE})
    stranger.did("/views", {"name": "strangers-view", "state": {"rule": {"dataset": "small"}}})
    stranger.did("/undo", {})
    jobs = [stranger.did("/generate", {"prompt": SECRET, "settings": {"images_per_caption": 1,
                                                                     "num_inference_steps": 2}})["job_id"]]
    jobs.append(stranger.did("/score", {"dataset": "small", "scorers": "guards"})["job_id"])
    for job in jobs:
        while stranger.client.get(f"{PREFIX}/jobs/{job}").json()["state"] not in ("done", "failed"):
            pass
    shown = stranger.did("/curate/view", {"rule": {"dataset": "prompts"}, "parts": ["page"], "page": {"show": "all"}})
    drawn = [row["id"] for row in shown["page"]["items"]]
    assert len(drawn) == 1
    return jobs, drawn


def test_no_route_tells_one_visitor_of_another(demo: Any, stranger: Any, tmp_path: Path) -> None:
    gets = [path for route in own_routes(tmp_path) if "GET" in (route.methods or ())
            for path in [filled(route.path)] if path not in UNSTEADY and "/static/" not in path]
    assert len(gets) > 20
    first, second = stranger(), stranger()
    before, files = second.sees(gets), digests(demo.workspace)
    jobs, drawn = act(first)
    assert SECRET in first.client.get(f"{PREFIX}/captions", params={"dataset": "prompts"}).text
    after = second.sees(gets)
    for path, text in after.items():
        assert SECRET not in text and "strangers" not in text, path
        assert text == before[path], path
    for candidate in drawn:
        assert first.client.get(f"{PREFIX}/image/{candidate}").status_code == 200
    for other in (second, stranger(), stranger(page=False)):
        for path in [f"/image/{drawn[0]}", f"/thumb/{drawn[0]}", f"/candidate/{drawn[0]}", f"/jobs/{jobs[0]}",
                     f"/jobs/{jobs[0]}/live", f"/jobs/{jobs[0]}/image/{drawn[0]}"]:
            assert other.client.get(PREFIX + path).status_code == 404, path
        assert other.post(f"/jobs/{jobs[0]}/stop", {}).status_code in (400, 404)
    assert digests(demo.workspace) == files
    assert json.loads(first.client.get(f"{PREFIX}/state").text)["visitor"]["used"]["images"] == 1


def test_an_export_is_sent_to_nobody_else(demo: Any, stranger: Any) -> None:
    first, second = stranger(), stranger()
    before = set((demo.workspace / "visitors").glob("*"))
    first.did("/select", {"name": "mine", **RULE})
    (own,) = [path for path in (demo.workspace / "visitors").glob("*") if path not in before and path.is_dir()]
    studio = Studio.open(own)
    studio.exports.run(ExportRequest("mine", "imagefolder"))
    studio.close()
    path = f"{PREFIX}/exports/mine-imagefolder.tar"
    assert first.client.get(path).status_code == 200
    for other in (second, stranger(), stranger(page=False)):
        assert other.client.get(path).status_code == 404
        assert "mine" not in other.client.get(PREFIX + "/exports").text


def test_a_cookie_that_nobody_signed_opens_nothing(stranger: Any) -> None:
    first = stranger()
    first.did("/select", {"name": "mine", **RULE})
    cookie = first.client.cookies[COOKIE]
    said, _, signature = cookie.partition(".")
    for forged in (said, said + ".", f"{said}.{'0' * len(signature)}", f"{said[:-2]}00.{signature}", "", "x" * 5000):
        other = stranger(page=False)
        assert "mine" not in other.client.get(f"{PREFIX}/selections", headers={"cookie": f"{COOKIE}={forged}"}).text
    again = stranger(page=False)
    assert "mine" in again.client.get(f"{PREFIX}/selections", headers={"cookie": f"{COOKIE}={cookie}"}).text


def test_without_a_cookie_nothing_is_changed(stranger: Any) -> None:
    answer = stranger(page=False).post("/select", {"name": "nobodys", **RULE})
    assert answer.status_code == 400 and "cookie" in answer.json()["error"]["text"]


def test_visitors_start_nothing_of_the_owners_and_load_nothing_of_theirs(stranger: Any) -> None:
    one = stranger()
    for path in OWNERS_ONLY:
        answer = one.post(path, {})
        assert answer.status_code == 403 and answer.json()["error"]["kind"] == "NotForVisitors", path
    for path, body in (("/generate", {"prompt": "a cat", "settings": {"generator": "org/model"}}),
                       ("/estimate", {"prompt": "a cat", "settings": {"generator": "/etc"}}),
                       ("/write", {"dataset": "x", "count": 1, "writer": "org/model"}),
                       ("/diversity/start", {"datasets": ["small"], "embedder": "sentence:org/model"}),
                       ("/score", {"dataset": "small", "scorers": "vqascore:org/model"}),
                       ("/compare/study/x/judge", {"writer": "org/model"})):
        answer = one.post(path, body)
        assert answer.status_code == 400 and "visitors" in answer.json()["error"]["text"], f"{path}: {answer.text}"
    much = one.post("/generate", {"prompt": "a cat", "settings": {"images_per_caption": 41}})
    assert much.status_code == 400 and "40 left" in much.json()["error"]["text"]
