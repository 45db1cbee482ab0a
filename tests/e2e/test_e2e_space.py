"""The app as a Space runs it: no option, its environment, nginx with TLS in front, in a frame of the Hub's page.

The names are the real ones, resolved to this machine by the browser alone; the certificate is made for the test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ARGUMENTS, CHROMIUM, DESKTOP
from hub_login import VISITOR, VISITOR_TOKEN, LoginHub
from nginx import nginx
from served_app import WORK_LIMIT_MS, ServedApp, Watched, open_room, snap, until

from synthvlm_ui.config import REPOSITORY

OWNER_TOKEN = "hf_token_of_the_owner"
HUB, SPACE = "huggingface.co", "someone-synthvlm.hf.space"
ASKED_OF_THE_HUB = f"https://{HUB}/api/spaces/by-subdomain/"
SERVERS = """
  ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
  server {{
    listen 127.0.0.1:PORT ssl; server_name {hub}; default_type "text/html; charset=utf-8";
    location / {{ return 200 '{page}'; }}
    location /oauth/ {{ proxy_pass {hub_url}; }}
  }}
  server {{
    listen 127.0.0.1:PORT ssl; server_name {space};
    location / {{
      proxy_pass http://127.0.0.1:{app};
      proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1h;
      proxy_set_header Host $host; proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
"""
HUB_PAGE = f"""<!doctype html><title>someone/synthvlm</title><style>body {{ margin: 0; font: 15px sans-serif; }}
header {{ padding: 10px 16px; border-bottom: 1px solid #ddd; }} iframe {{ border: 0; width: 100vw; height: 852px; }}
</style><header>Spaces / someone / <b>synthvlm</b></header>
<iframe title="Space app" src="https://{SPACE}/"></iframe>"""


class SpaceApp(ServedApp):
    """``python app.py`` with a Space's environment and without an option; the workspace is where the defaults say."""

    hosts = (HUB, SPACE)

    def __init__(self, workspace: Path, hub: LoginHub) -> None:
        self.hub = hub
        super().__init__(workspace, hub_url=hub.url)

    def _command(self) -> tuple[Path, list[str]]:
        return self.workspace.parent, [sys.executable, str(REPOSITORY / "app.py")]

    def _environment(self) -> dict[str, str]:
        given = {"SPACE_ID": "someone/synthvlm", "SPACE_HOST": SPACE, "SPACE_AUTHOR_NAME": "someone",
                 "SPACE_REPO_NAME": "synthvlm", "SYSTEM": "spaces", "GRADIO_SERVER_PORT": str(self.port),
                 "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_ALLOW_FLAGGING": "never", "CPU_CORES": "2",
                 "HF_TOKEN": OWNER_TOKEN}
        return {name: value for name, value in super()._environment().items()
                if not name.startswith("SPACES_")} | given | self.hub.environment()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SpaceApp, int]]:
    """The running Space and the port at which the names of Hub and Space are answered."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("space")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={SPACE}",
                    "-keyout", "key.pem", "-out", "certificate.pem"], cwd=folder, check=True, capture_output=True)
    with LoginHub() as hub:
        app = SpaceApp(folder / "workspace", hub)
        servers = SERVERS.format(folder=folder, hub=HUB, hub_url=hub.url, page=HUB_PAGE, space=SPACE, app=app.port)
        try:
            with nginx(folder, servers) as port:
                yield app, port
        finally:
            app.end()


@pytest.fixture
def hub_page(browser: Any, space: tuple[SpaceApp, int]) -> Iterator[Watched]:
    app, port = space
    rules = ", ".join(f"MAP {name}:443 127.0.0.1:{port}" for name in (HUB, SPACE))
    opened = browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, f"--host-resolver-rules={rules}"])
    context = opened.new_context(viewport=DESKTOP, ignore_https_errors=True)
    context.set_default_timeout(30_000)
    watched = Watched(context, app)
    yield watched
    opened.close()
    # Gradio's page asks the Hub which Space it is in; the page's policy lets nothing out, and all goes on without.
    watched.broken = [line for line in watched.broken if ASKED_OF_THE_HUB not in line]
    watched.check()


def test_a_visitor_of_the_hub_s_page_curates_exports_and_sends_a_copy_of_the_demo(hub_page: Watched) -> None:
    frame = enter(hub_page)
    frame.get_by_role("note").get_by_text("This Space forgets everything when it restarts").wait_for()
    frame.locator("synth-workspace").get_by_text("processor with 2 cores").wait_for()
    # The demo makes itself; what it holds by then may be looked at, and changed when it is whole.
    until(frame, lambda: not running(frame) or gone_wrong(frame), WORK_LIMIT_MS)
    assert gone_wrong(frame) == [] and candidates(frame) >= 100
    frame.get_by_role("note").get_by_text("You look at the demo").wait_for()
    curate(hub_page, frame)
    frame.get_by_role("note").get_by_text("Your own copy of the demo").wait_for()
    another_sees_nothing_of_it(hub_page)
    export(frame)
    nothing_is_sent_for_a_stranger(hub_page, frame)
    sent_with_the_visitor_s_own_token(hub_page)
    the_token_is_nowhere(hub_page)


def enter(hub_page: Watched) -> Any:
    """The frame of the Space in the Hub's page."""
    hub_page.page.goto(f"https://{HUB}/")
    return until(hub_page.page, lambda: hub_page.page.frame(url=re.compile(SPACE)), 60_000)


def curate(hub_page: Watched, frame: Any) -> None:
    open_room(frame, "Curate")
    frame.locator(".s-tile").first.wait_for()
    frame.locator(".s-tile").first.focus()
    hub_page.page.keyboard.press("k")
    until(frame, lambda: "✓ 1" in frame.locator(".s-count b").nth(2).inner_text())
    frame.evaluate("scrollTo(0, 0)")
    snap(hub_page.page, "space")
    frame.get_by_label("Name of the selection").fill("best")
    frame.get_by_role("button", name="Save selection").click()
    frame.get_by_text(re.compile("Selection “best” saved")).wait_for()


def another_sees_nothing_of_it(hub_page: Watched) -> None:
    context = hub_page.page.context.browser.new_context(viewport=DESKTOP, ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"https://{HUB}/")
    frame = until(page, lambda: page.frame(url=re.compile(SPACE)), 60_000)
    open_room(frame, "Curate")
    frame.locator(".s-tile").first.wait_for()
    assert "✓ 0" in frame.locator(".s-count b").nth(2).inner_text()
    told = state(frame)
    assert told["summary"]["selections"] == [] and not told["visitor"]["own"]
    context.close()


def export(frame: Any) -> None:
    choose_the_selection(frame)
    frame.get_by_role("button", name="Export", exact=True).click()
    frame.get_by_text(re.compile(r"\d+ pairs? written")).wait_for(timeout=60_000)
    with frame.page.expect_download() as coming:
        frame.locator(".s-result-card").get_by_role("link", name=re.compile("^Download best-")).click()
    with tarfile.open(coming.value.path()) as tar:
        assert any(name.endswith("/manifest.json") for name in tar.getnames())


def choose_the_selection(frame: Any) -> None:
    open_room(frame, "Export")
    frame.get_by_role("combobox", name="Selection", exact=True).click()
    frame.get_by_role("option", name="best").click()


def send(frame: Any) -> None:
    name = frame.get_by_placeholder("USER/NAME")
    if not name.is_visible():
        frame.get_by_role("button", name="Send it to the Hugging Face Hub").click()
    name.fill("vera/toys")
    frame.get_by_role("button", name="Send", exact=True).click()


def nothing_is_sent_for_a_stranger(hub_page: Watched, frame: Any) -> None:
    """The server knows a token of its own; a visitor without a login does not get to use it."""
    send(frame)
    frame.locator("[data-testid=toast-body]").get_by_text("nobody is logged in with Hugging Face").wait_for()
    assert hub_page.app.hub.tokens == set() and hub_page.app.hub.repos == []


def sent_with_the_visitor_s_own_token(hub_page: Watched) -> None:
    frame = hub_page.page.frame(url=re.compile(SPACE))
    frame.get_by_role("button", name="Log in with Hugging Face").click()
    until(hub_page.page, lambda: len(hub_page.app.hub.logins) == 1)
    frame.get_by_role("tab", name="Captions").wait_for(timeout=60_000)
    choose_the_selection(frame)
    send(frame)
    frame.get_by_role("button", name=f"Log out ({VISITOR})").wait_for()
    frame.get_by_text("datasets/vera/toys").first.wait_for()
    snap(hub_page.page, "space-sent")
    hub = hub_page.app.hub
    assert hub.tokens == {f"Bearer {VISITOR_TOKEN}"} and "README.md" in hub.files


def the_token_is_nowhere(hub_page: Watched) -> None:
    """Neither in the page nor in any file of the server: its log, jobs, caches."""
    for frame in hub_page.page.frames:
        assert VISITOR_TOKEN not in frame.content() and OWNER_TOKEN not in frame.content()
    for path in hub_page.app.workspace.parent.rglob("*"):
        if path.is_file() and path.suffix != ".tar":
            content = path.read_bytes()
            assert VISITOR_TOKEN.encode() not in content and OWNER_TOKEN.encode() not in content, path


def state(frame: Any) -> dict[str, Any]:
    """What this visitor is told, with the visitor's own cookies."""
    return dict(frame.evaluate("fetch('gradio_api/synthvlm/state').then((answer) => answer.json())"))


def candidates(frame: Any) -> int:
    return sum(int(one["candidates"]) for one in state(frame)["summary"]["datasets"])


def running(frame: Any) -> bool:
    return any(job["state"] in ("queued", "running") for job in state(frame)["jobs"])


def gone_wrong(frame: Any) -> list[str]:
    return [job["message"] for job in state(frame)["jobs"] if job["state"] in ("failed", "crashed")]
