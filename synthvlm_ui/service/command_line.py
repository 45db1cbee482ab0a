"""The line for the terminal that does what was just done in the browser. Knows no command."""

from __future__ import annotations

import shlex
from pathlib import Path


def command_line(root: Path, words: list[str]) -> str:
    """The shell line that does the same as a click."""
    return shlex.join(["python", "-m", "synthvlm_ui", "--workspace", str(root), *words])
