"""Two apps on one workspace: the second says where the first is, or only looks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synthvlm_ui.config import REPOSITORY

pytest.importorskip("playwright")

from served_app import ServedApp  # noqa: E402


@pytest.mark.slow
def test_the_second_app_says_where_the_first_is(workspace: Path) -> None:
    first = ServedApp(workspace)
    try:
        command = [sys.executable, "app.py", "--workspace", str(workspace)]
        second = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, timeout=60, check=False)
        assert second.returncode == 2
        assert second.stderr.startswith("error: another app serves this workspace at " + first.address)
        assert "--read-only" in second.stderr and "Traceback" not in second.stderr
        looking = ServedApp(workspace, "--read-only")
        assert looking.ask("state")["read_only"] is True
        looking.end()
        first.process.kill()
        first.process.wait()
        third = ServedApp(workspace)
        assert third.ask("state")["read_only"] is False, "a killed app leaves its place"
        third.end()
    finally:
        first.end()
