"""The script inside an export makes the very same pairs again, in a new workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import ROOT, CommandLine

CAPTIONS = ["a red apple on a green meadow", "two blue cars on a sandy beach", "a cat to the left of a dog"]


@pytest.mark.slow
def test_the_script_makes_it_again(open_command_line: Callable[[str], CommandLine], tmp_path: Path) -> None:
    first, second = open_command_line("first"), open_command_line("second")
    (tmp_path / "captions.txt").write_text("\n".join(CAPTIONS))
    first.answer("captions", "import", tmp_path / "captions.txt", "--dataset", "toys")
    first.answer("generate", "--dataset", "toys", "--images-per-caption", 2, "--seed", 5, "--num-inference-steps", 2)
    first.answer("select", "--dataset", "toys", "--name", "best", "--top-k", 4, "--guards", "off")
    made = first.answer("export", "--selection", "best", "--format", "jsonl", "--out", tmp_path / "one")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", str(tmp_path / "one/rebuild.sh"), str(second.workspace)], check=True, env=environment,
                   timeout=240, stdout=subprocess.DEVNULL)
    again = second.answer("export", "--selection", "best", "--format", "jsonl", "--out", tmp_path / "two")
    assert again["written"] == made["written"] == 4
    pictures = [{path.name: path.read_bytes() for path in (tmp_path / name / "images").rglob("*.*")}
                for name in ("one", "two")]
    assert pictures[0] == pictures[1] and len(pictures[0]) == 4
