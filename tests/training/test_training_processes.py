"""LLaVA in several processes, as on several cards: the losses of one process, and one that stops stops all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_llava import save_llava

SCRIPT = Path(__file__).parent / "several_processes.py"


def train(processes: int, llava: Path, out: Path, stop_after: int = 0) -> list[dict[str, Any]]:
    """What every process said in the end."""
    out.mkdir(exist_ok=True)
    # --standalone: each launch meets on a free port of its own.
    subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
                    SCRIPT, llava, out, str(stop_after)], check=True, timeout=300, capture_output=True,
                   env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1",
                        "TMPDIR": str(out)})  # which torchrun leaves a folder in
    return [json.loads((out / f"process-{rank}.json").read_text()) for rank in range(processes)]


@pytest.mark.slow
def test_two_processes_train_as_one_and_stop_together(tmp_path: Path) -> None:
    llava = save_llava(tmp_path / "llava")
    alone, = train(1, llava, tmp_path / "one")
    first, second = train(2, llava, tmp_path / "two", stop_after=3)
    assert [(said["steps"], said["finished"]) for said in (first, second)] == [(3, False)] * 2
    rest, _ = train(2, llava, tmp_path / "two")
    assert rest["finished"] and alone["steps"] == rest["steps"] == 6
    assert {**first["losses"], **rest["losses"]} == pytest.approx(alone["losses"], abs=1e-5)
