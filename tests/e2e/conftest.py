"""A browser for the whole run, and pages that fail their test when they ask another machine or raise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "ui")]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--disable-default-apps", "--disable-extensions")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def visit(browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """``visit(app, phone=False, dark=False)``: a new page on an app, checked when the test ends."""
    from served_app import Watched

    made: list[tuple[Any, Watched]] = []

    def open_page(app: Any, *, phone: bool = False, dark: bool = False) -> Watched:
        context = browser.new_context(viewport=PHONE if phone else DESKTOP, color_scheme="dark" if dark else "light",
                                      has_touch=phone)
        context.set_default_timeout(30_000)
        watched = Watched(context, app)
        made.append((context, watched))
        return watched

    yield open_page
    if request.node.stash.get(FAILED, False):
        for _, watched in made:
            print(watched.last_seen())
    for context, _ in made:
        context.close()
    for _, watched in made:
        watched.check()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """``serve(prepare=None, *options, hub_url=...)``: the app on a new workspace, which ``prepare`` may fill."""
    from served_app import ServedApp

    from synthvlm_ui.service import Studio

    running: list[ServedApp] = []

    def start(prepare: Callable[[Studio], Any] | None = None, *options: str, **known: str) -> ServedApp:
        workspace = tmp_path_factory.mktemp("app") / "workspace"
        if prepare:
            studio = Studio.open(workspace)
            prepare(studio)
            studio.close()
        running.append(ServedApp(workspace, *options, **known))
        return running[-1]

    yield start
    for app in running:
        app.end()
