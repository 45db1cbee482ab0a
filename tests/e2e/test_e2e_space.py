"""The app as a Space runs it: no option, its environment, nginx with TLS in front, in a frame of the Hub's page.

The names are the real ones, resolved to this machine by the browser alone; the certificate is made for the test.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ARGUMENTS, CHROMIUM, DESKTOP
from nginx import nginx
from served_app import WORK_LIMIT_MS, ServedApp, Watched, open_room, snap, until

from synthvlm_ui.config import REPOSITORY

HUB, SPACE = "huggingface.co", "someone-synthvlm.hf.space"
ASKED_OF_THE_HUB = f"https://{HUB}/api/spaces/by-subdomain/"
SERVERS = """
  ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
  server {{
    listen 127.0.0.1:PORT ssl; server_name {hub}; default_type "text/html; charset=utf-8"; return 200 '{page}';
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

    def _command(self) -> tuple[Path, list[str]]:
        return self.workspace.parent, [sys.executable, str(REPOSITORY / "app.py")]

    def _environment(self) -> dict[str, str]:
        given = {"SPACE_ID": "someone/synthvlm", "SPACE_HOST": SPACE, "SPACE_AUTHOR_NAME": "someone",
                 "SPACE_REPO_NAME": "synthvlm", "SYSTEM": "spaces", "GRADIO_SERVER_PORT": str(self.port),
                 "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_ALLOW_FLAGGING": "never", "CPU_CORES": "2"}
        return {name: value for name, value in super()._environment().items()
                if not name.startswith(("SPACES_", "OAUTH_"))} | given


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SpaceApp, int]]:
    """The running Space and the port at which the names of Hub and Space are answered."""
    folder = tmp_path_factory.mktemp("space")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={SPACE}",
                    "-keyout", "key.pem", "-out", "certificate.pem"], cwd=folder, check=True, capture_output=True)
    app = SpaceApp(folder / "workspace")
    try:
        servers = SERVERS.format(folder=folder, hub=HUB, page=HUB_PAGE, space=SPACE, app=app.port)
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


def test_a_visitor_of_the_hub_s_page_makes_the_demo_curates_and_exports(hub_page: Watched) -> None:
    page = hub_page.page
    page.goto(f"https://{HUB}/")
    frame = until(page, lambda: page.frame(url=re.compile(SPACE)), 60_000)
    frame.get_by_role("button", name="Make the demo").click(timeout=60_000)
    frame.get_by_role("note").get_by_text("This Space forgets everything when it restarts").wait_for()
    counts = frame.locator(".s-count b")
    until(frame, lambda: candidates(frame) >= 8 or gone_wrong(frame), WORK_LIMIT_MS)
    assert gone_wrong(frame) == []
    open_room(frame, "Curate")
    frame.locator(".s-tile").first.wait_for()
    frame.locator(".s-tile").first.focus()
    page.keyboard.press("k")
    until(frame, lambda: "✓ 1" in counts.nth(2).inner_text())
    frame.evaluate("scrollTo(0, 0)")
    snap(page, "space")
    frame.get_by_label("Name of the selection").fill("best")
    frame.get_by_role("button", name="Save selection").click()
    frame.get_by_text(re.compile("Selection “best” saved")).wait_for()
    open_room(frame, "Export")
    frame.get_by_role("combobox", name="Selection", exact=True).click()
    frame.get_by_role("option", name="best").click()
    frame.get_by_role("button", name="Export", exact=True).click()
    frame.get_by_text(re.compile(r"\d+ pairs? written")).wait_for(timeout=60_000)


def state(frame: Any) -> dict[str, Any]:
    """What this visitor is told, with the visitor's own cookies."""
    return dict(frame.evaluate("fetch('gradio_api/synthvlm/state').then((answer) => answer.json())"))


def candidates(frame: Any) -> int:
    return sum(int(one["candidates"]) for one in state(frame)["summary"]["datasets"])


def gone_wrong(frame: Any) -> list[str]:
    return [job["message"] for job in state(frame)["jobs"] if job["state"] in ("failed", "crashed")]
