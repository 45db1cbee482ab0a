"""What every test lives under: no network beyond this machine, no telemetry, reproducible properties, no display."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before any test imports an engine; inherited by the processes that tests start.
os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    DO_NOT_TRACK="1",
    TOKENIZERS_PARALLELISM="false",
    MPLBACKEND="Agg",
)
for variable in [name for name in os.environ if name.startswith("SYNTHVLM_") and name != "SYNTHVLM_SCREENSHOTS"]:
    del os.environ[variable]

settings.register_profile(
    "repository", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("repository")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Any]:
    """The Studio of an empty workspace; a file that wants more in it has a fixture of this name of its own."""
    from synthvlm_ui.service import Studio

    opened = Studio.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails at once instead of passing where there is one."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test wants to connect to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
