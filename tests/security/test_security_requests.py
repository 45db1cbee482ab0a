"""What a page of somebody else, open in the same browser, can make the served app do: nothing.

Every route that is not only read is asked, the app's own and gradio's, so that a new one cannot be forgotten.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from synthvlm_ui.service import Studio
from synthvlm_ui.ui.routes.api import Api
from synthvlm_ui.ui.routes.build import build_routes

FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"}, {"origin": "http://127.0.0.1:1"}]
OF_GRADIO = ("/gradio_api/upload", "/gradio_api/component_server", "/gradio_api/queue/join", "/gradio_api/run/predict",
             "/gradio_api/call/predict", "/gradio_api/reset", "/gradio_api/cancel", "/gradio_api/stream/x", "/login")


def own_routes(tmp_path: Path) -> list[Route]:
    studio = Studio.open(tmp_path / "workspace")
    try:
        return build_routes(Api(studio, read_only=False))
    finally:
        studio.close()


def filled(path: str) -> str:
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + "0" * 16 + path[end + 1:]
    return path


def state_of(workspace: Path) -> dict[str, int]:
    return {path.relative_to(workspace).as_posix(): path.stat().st_size for path in sorted(workspace.rglob("*"))
            if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock"))}


def test_no_route_changes_anything_for_another_site(served: Any, tmp_path: Path) -> None:
    posts = [filled(route.path) for route in own_routes(tmp_path) if "POST" in (route.methods or ())]
    assert len(posts) > 30, "the routes were not found"
    before = state_of(served.workspace)
    with httpx.Client(base_url=served.address, timeout=30) as client:
        for path in [*posts, *OF_GRADIO]:
            for headers in FOREIGN:
                for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
                    answer = client.post(path, content=b"{}", headers={**headers, "content-type": kind})
                    assert answer.status_code == 403, f"{path} {headers} {kind}: {answer.status_code}"
            # A form of another site without any of these headers (an old browser) is not JSON.
            if path in posts:
                answer = client.post(path, content=b"{}", headers={"content-type": "text/plain"})
                assert answer.status_code in (400, 404), f"{path}: {answer.status_code}"
    assert state_of(served.workspace) == before


def test_reading_changes_nothing(served: Any, tmp_path: Path) -> None:
    gets = [filled(route.path) for route in own_routes(tmp_path) if "GET" in (route.methods or ())]
    before = state_of(served.workspace)
    with httpx.Client(base_url=served.address, timeout=30) as client:
        for path in gets:
            assert client.get(path).status_code < 500, path
    changed = {name for name, size in state_of(served.workspace).items() if before.get(name) != size}
    assert not [name for name in changed if not name.startswith("snapshot/")], changed


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:{port}", "0.0.0.0:{port}",
                                  "[::2]:{port}", "localhost.evil.example:{port}"])
def test_a_name_that_was_rebound_to_this_machine_is_not_answered(served: Any, tmp_path: Path, host: str) -> None:
    host = host.format(port=served.port)
    paths = ["/", "/config", "/gradio_api/info", "/theme.css", *(filled(route.path) for route in own_routes(tmp_path))]
    with httpx.Client(base_url=served.address, timeout=30) as client:
        for path in paths:
            answer = client.get(path, headers={"host": host, "origin": f"http://{host}"})
            assert answer.status_code == 400, f"{path}: {answer.status_code}"
        assert client.post("/gradio_api/upload", headers={"host": host}, files={"files": b"x"}).status_code == 400


@pytest.mark.parametrize("path", [
    "gradio_api/file=/etc/passwd", "gradio_api/file=../../etc/passwd", "gradio_api/file=%2fetc%2fpasswd",
    "gradio_api/file={workspace}/journal.sqlite", "gradio_api/file=README.md", "gradio_api/file=app.py",
    "static/../app.py", "assets/..%2f..%2fetc%2fpasswd", "gradio_api/synthvlm/static/..%2f..%2fapi.py",
    "gradio_api/synthvlm/thumb/..%2f..%2fjournal.sqlite", "gradio_api/file=http://127.0.0.1:1/x",
    "gradio_api/file=https://example.com/x.png", "gradio_api/proxy=http://127.0.0.1:1/"])
def test_no_path_leads_to_a_file_of_this_machine_or_to_another_server(served: Any, path: str) -> None:
    with httpx.Client(base_url=served.address, timeout=30) as client:
        answer = client.get("/" + path.format(workspace=served.workspace))
    assert answer.status_code in (400, 403, 404, 405), answer.status_code
    assert "root:" not in answer.text and "SQLite format" not in answer.text and "import" not in answer.text


def test_what_the_page_may_name_as_a_writer_leads_to_no_address(served: Any) -> None:
    """A server-side request to a private address would start with the name of a caption writer."""
    for writer in ("openai:m@http://169.254.169.254/latest", "openai:m@http://127.0.0.1:1/v1", "openai:m@file:///etc"):
        gate = {"preset": "plain", "rules": {"llm_gate": {"min": 1, "writer": writer}}, "given": []}
        for route in ("write", "write/preview", "diversity/fill", "captions/rules/curate"):
            answer = httpx.post(served.address + "gradio_api/synthvlm/" + route, timeout=30,
                                json={"dataset": "small", "count": 1, "writer": writer, "run": "r", "set": "s",
                                      "settings": gate})
            assert answer.status_code == 400, answer.text
            assert "command line" in answer.json()["error"]["text"]
