"""The command line as its users run it: a process with arguments, two streams and an exit code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthvlm_ui.jobs import end_worker

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120


@dataclass(frozen=True)
class Ran:
    """One finished run."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> dict[str, Any]:
        """The object that --json promises: the last line of stdout."""
        answer: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        assert answer["schema_version"] == 1
        return answer


class CommandLine:
    """Runs commands on one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def start(self, *words: object, as_json: bool = True) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "synthvlm_ui", "--workspace", str(self.workspace)]
        command += ["--json"] * as_json + [str(word) for word in words]
        # A closed port in place of the Hub: what needs a download fails as it does without a network.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SYNTHVLM_WORKER_IDLE_S": "20",
                       "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(self.workspace.parent / "huggingface")}
        return subprocess.Popen(command, text=True, cwd=self.workspace.parent, env=environment, start_new_session=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words: object, as_json: bool = True) -> Ran:
        process = self.start(*words, as_json=as_json)
        stdout, stderr = process.communicate(timeout=LIMIT_S)
        return Ran(process.returncode, stdout, stderr)

    def answer(self, *words: object) -> dict[str, Any]:
        """The object of a run that must succeed."""
        ran = self.run(*words)
        assert ran.code == 0, ran.stderr
        return ran.answer

    def files(self) -> dict[str, str]:
        """A hash of every file of the workspace, by its path."""
        return {path.relative_to(self.workspace).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(self.workspace.rglob("*")) if path.is_file()}

    def end_workers(self) -> None:
        if (self.workspace / "jobs").is_dir():
            end_worker(self.workspace / "jobs", "cpu")
