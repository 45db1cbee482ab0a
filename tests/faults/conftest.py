"""A small workspace with real shards, scores, captions and decisions, to be damaged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "ui"),
                str(Path(__file__).parents[1] / "e2e"),
                str(Path(__file__).parents[1] / "cli")]

from small_workspace import CAPTIONS, fill  # noqa: E402

from synthvlm_ui.service import Studio  # noqa: E402


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    studio = Studio.open(root)
    candidates = fill(studio, "small", CAPTIONS, 5)
    for number in range(40):
        studio.curation.verdict([candidates[number % len(candidates)].id], "keep" if number % 3 else "reject")
    for number in range(60):
        studio.workspace.journal.append("note", "local", {"text": f"{number} " * 200})
    studio.curation.verdict([candidates[0].id], "keep")
    studio.curation.select("best", studio.curation.rule("small"))
    studio.close()
    return root


@pytest.fixture
def flip() -> Callable[[Path, float], None]:
    """``flip(file, place)`` changes 64 bytes at this share of the file."""
    def change(file: Path, place: float) -> None:
        content = bytearray(file.read_bytes())
        start = int(place * max(0, len(content) - 64))
        content[start:start + 64] = bytes(byte ^ 0xA5 for byte in content[start:start + 64])
        file.write_bytes(content)

    return change
