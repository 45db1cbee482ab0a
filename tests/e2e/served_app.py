"""The app as its users start it: a process, an address, and a browser page that notices what must not happen."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Error, Page

from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.jobs import end_worker

START_LIMIT_S = 90
WORK_LIMIT_MS = 300_000
SCREENSHOTS = os.environ.get("SYNTHVLM_SCREENSHOTS", "")
ROUTES = "gradio_api/synthvlm/"
FRAME_LIMIT_MS = 5_000
FRAMES = """([wanted, limit]) => new Promise((done) => {
  let drawn = 0;
  const draw = () => { drawn += 1; if (drawn < wanted) requestAnimationFrame(draw); else done([drawn]); };
  requestAnimationFrame(draw);
  setTimeout(() => done([drawn]), limit);
})"""


class ServedApp:
    """``python app.py`` on a free port, until ``end``."""

    hosts: tuple[str, ...] = ("127.0.0.1",)  # what its pages may ask

    def __init__(self, workspace: Path, *options: str, hub_url: str = "http://127.0.0.1:9") -> None:
        self.workspace, self.hub_url = workspace, hub_url
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.log = workspace.parent / f"app-{self.port}.log"
        self._options = options
        self._start()

    def _start(self) -> None:
        self.started = time.monotonic()
        folder, command = self._command()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=self._environment(), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        self._wait()

    def _command(self) -> tuple[Path, list[str]]:
        """Where the app is started and how."""
        return REPOSITORY, [sys.executable, "app.py", "--workspace", str(self.workspace), "--port", str(self.port),
                            *self._options]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "SYNTHVLM_WORKER_IDLE_S": "20", "HF_ENDPOINT": self.hub_url,
                "HF_HOME": str(self.workspace.parent / "huggingface")}

    def _wait(self) -> None:
        while time.monotonic() - self.started < START_LIMIT_S:
            if self.process.poll() is not None:
                raise AssertionError(self.log.read_text(encoding="utf-8"))
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the app did not start")

    def ask(self, path: str) -> Any:
        """The JSON of one of the app's own routes."""
        with urllib.request.urlopen(self.address + ROUTES + path, timeout=60) as answer:
            return json.load(answer)

    def gone_wrong(self) -> list[str]:
        """What broken jobs say of themselves."""
        return [job["message"] for job in self.ask("state")["jobs"] if job["state"] in ("failed", "crashed")]

    def restart(self) -> None:
        """Ends the server and starts it again at the same address; its workers go on."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)
        self._start()

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(15)
        if (self.workspace / "jobs").is_dir():
            for device in ("cpu", "disk", "hub", "ray"):
                end_worker(self.workspace / "jobs", device)


class Watched:
    """A page and what it did that it must never do: ask another machine, raise, open a dialog."""

    def __init__(self, context: BrowserContext, app: ServedApp) -> None:
        self.app, self.page = app, context.new_page()
        self.outside: list[str] = []
        self.broken: list[str] = []
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.broken.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("console", lambda message: self._said(message.type, message.text))

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in self.app.hosts:
            self.outside.append(url)

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.broken.append(text)

    def open(self, room: str | None = None) -> Page:
        self.page.goto(self.app.address)
        self.page.get_by_role("tab", name="Captions").wait_for(timeout=60_000)
        if room:
            open_room(self.page, room)
        return self.page

    def last_seen(self) -> str:
        """What a test that failed is told of its page: whether it still draws, and the app's last lines."""
        said = self.app.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        try:
            drawn = frames(self.page, 3)
        except Error as error:
            return f"{self.page.url}: {error.message}; {said}"
        return f"{self.page.url}: {drawn} of 3 frames drawn; {said}"

    def check(self) -> None:
        assert self.outside == [], self.outside
        assert self.broken == [], self.broken


def open_room(page: Page, name: str) -> None:
    """Clicks the tab, or, where a narrow page keeps it in a menu, the menu and then its entry."""
    tab = page.get_by_role("tab", name=name, exact=True)
    menu = page.locator("#rooms .overflow-menu > button").first
    until(page, lambda: tab.is_visible() or menu.is_visible())
    if not tab.is_visible():
        menu.click()
        tab = page.locator("#rooms .overflow-dropdown button").get_by_text(name, exact=True)
    tab.click()


def frames(page: Page, wanted: int, limit_ms: int = FRAME_LIMIT_MS) -> int:
    """How many frames the browser has drawn of the page when it has drawn ``wanted`` or the time is up."""
    found = page.wait_for_function(FRAMES, arg=[wanted, limit_ms], polling=100, timeout=2 * limit_ms)
    return int(found.json_value()[0])


def resize(page: Page, width: int, height: int) -> None:
    """Gives the window another size and waits until the page is drawn in it, as eyes would.

    Chromium without a screen once drew no frame any more, for 30 s, after two sizes within one frame, and a click waits
    for frames. A screenshot makes it draw.
    """
    page.set_viewport_size({"width": width, "height": height})
    if frames(page, 3) < 3:
        page.screenshot()
        assert frames(page, 3) == 3, f"no frame is drawn at {width} × {height}"


def snap(page: Page, name: str) -> None:
    """Keeps a picture of the page where SYNTHVLM_SCREENSHOTS says."""
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(400)
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def until(page: Page, fact: Callable[[], Any], limit_ms: int = 30_000) -> Any:
    """Waits until ``fact()`` is true and returns it."""
    waited = 0
    while not (found := fact()):
        assert waited < limit_ms, "it did not come true in time"
        page.wait_for_timeout(150)
        waited += 150
    return found


def paste(page: Page, text: str) -> None:
    """Pastes captions; Gradio empties a box in the first milliseconds of its tab, sooner than a hand can be there."""
    box = page.get_by_label("One caption per line")

    def kept() -> bool:
        box.fill(text)
        page.wait_for_timeout(150)
        return box.input_value() == text

    until(page, kept)


def no_sideways_scrolling(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
