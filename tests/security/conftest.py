"""The app as it is served, for requests that its own page would never send."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "ui"), str(Path(__file__).parents[1] / "e2e")]

from small_workspace import CAPTIONS, REPEATS, fill  # noqa: E402


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """``python app.py`` over a small workspace, until the module ends."""
    pytest.importorskip("playwright")  # served_app names its types
    from served_app import ServedApp

    from synthvlm_ui.service import Studio

    workspace = tmp_path_factory.mktemp("served") / "workspace"
    studio = Studio.open(workspace)
    fill(studio, "small", CAPTIONS, REPEATS)
    studio.close()
    app = ServedApp(workspace)
    yield app
    app.end()
