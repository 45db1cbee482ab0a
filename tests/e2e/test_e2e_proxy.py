"""The app with logins behind nginx under a path, as on a lab's server, used in a browser by two people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nginx import nginx
from served_app import ServedApp, paste, snap, until

sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))

from small_workspace import CAPTIONS, fill  # noqa: E402

from synthvlm_ui.service import add_account  # noqa: E402

PATH = "/lab/synth"
SERVER = """
  server {{
    listen 127.0.0.1:PORT;
    location = {path} {{ return 301 {path}/; }}
    location {path}/ {{
      proxy_pass http://127.0.0.1:{app}/;
      proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1h;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
"""


@pytest.fixture(scope="module")
def proxied(serve: Callable[..., ServedApp], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApp]:
    """An app whose ``address`` is the one of nginx."""
    folder = tmp_path_factory.mktemp("nginx")
    for name in ("asa", "bo"):
        add_account(folder / "users", name, f"password of {name}")
    app = serve(lambda studio: fill(studio, "small", CAPTIONS, 4), "--auth", str(folder / "users"), "--root-path", PATH)
    with nginx(folder, SERVER.format(path=PATH, app=app.port)) as port:
        app.address = f"http://127.0.0.1:{port}{PATH}/"
        yield app


def test_a_path_that_the_server_was_not_told_is_said(serve: Callable[..., ServedApp], visit: Any,
                                                      tmp_path: Path) -> None:
    app = serve(lambda studio: fill(studio, "small", CAPTIONS, 4))
    with nginx(tmp_path, SERVER.format(path=PATH, app=app.port)) as port:
        app.address = f"http://127.0.0.1:{port}{PATH}/"
        watched = visit(app)
        watched.page.goto(app.address)
        watched.page.get_by_role("note").get_by_text(f"start it with --root-path {PATH}").wait_for()
        watched.broken.clear()  # Gradio's styles are looked for past the proxy


def log_in(page: Any, app: ServedApp, name: str, password: str) -> None:
    page.goto(app.address)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_two_people_log_in_decide_and_leave(proxied: ServedApp, visit: Any) -> None:
    page = visit(proxied).page
    log_in(page, proxied, "asa", "a wrong one")
    page.get_by_role("alert").get_by_text("wrong").wait_for()
    snap(page, "login")
    log_in(page, proxied, "asa", "password of asa")
    page.get_by_role("tab", name="Curate").click()
    page.locator(".s-tile").first.wait_for()
    page.get_by_text("you: asa").wait_for()
    assert page.get_by_role("button", name="you: asa").is_disabled()
    page.locator(".s-tile").first.focus()
    page.keyboard.press("k")
    other = visit(proxied).page
    log_in(other, proxied, "bo", "password of bo")
    other.get_by_role("tab", name="Curate").click()
    until(other, lambda: "✓ 1" in other.locator(".s-count b").nth(2).inner_text())
    until(other, lambda: "asa" in other.locator(".s-others").inner_text(), 90_000)
    snap(other, "behind-nginx")
    other.get_by_role("button", name="Log out").click()
    other.get_by_label("Password").wait_for()
    assert "--root-path" not in page.locator("synth-workspace .s-notice").text_content()
    page.get_by_role("tab", name="Captions").click()
    page.get_by_role("tab", name="Pasted lines", exact=True).click()
    paste(page, "a yellow duck")
    page.get_by_role("button", name="Import lines").click()
    page.get_by_text("5 captions").first.wait_for()  # through gradio's own event queue
