"""Spoiled files of every format: no crash, no hang, no half-written state, one clear line for each refusal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

FILES = 1_800  # of them every 31 numbers 16 are imports: about 930, and the pictures and tables that imports bring
SCRIPT = Path(__file__).parent / "fuzz_files.py"
FINE = {"imported", "refused", "read"}


@pytest.mark.slow
def test_spoiled_files_are_read_or_refused(tmp_path: Path) -> None:
    said, wrong, first = Counter[str](), [], 0
    while first < FILES:
        process = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path), str(first), str(FILES)], text=True,
                                 capture_output=True, timeout=600, check=False)
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        for line in lines:
            if "said" in line:
                said[line["said"]] += 1
                if line["said"] not in FINE:
                    wrong.append(line)
        if not lines:
            raise AssertionError(process.stderr[-2000:])
        if process.returncode == 0:
            break
        wrong.append({**lines[-1], "said": f"ended the process: {process.returncode}", "stderr": process.stderr[-300:]})
        first = lines[-1]["begins"] + 1
        assert len(wrong) < 20, wrong
    assert not wrong, wrong
    assert said["imported"] > FILES // 20, "faults so gross that nothing is ever imported find nothing"
    assert said["refused"] > FILES // 3
