"""The command line as its users run it: a process with arguments, two streams and an exit code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from synthvlm_ui.cli import main
from synthvlm_ui.jobs import end_worker

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240
IDLE_S = "30"


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


def answer_of(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.stderr
    return ran.answer


class CommandLine:
    """Runs commands on one workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def start(self, *words: object, as_json: bool = True) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "synthvlm_ui", "--workspace", str(self.workspace)]
        command += ["--json"] * as_json + [str(word) for word in words]
        # A closed port in place of the Hub: what needs a download fails as it does without a network.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SYNTHVLM_WORKER_IDLE_S": IDLE_S,
                       "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(self.workspace.parent / "huggingface")}
        return subprocess.Popen(command, text=True, cwd=self.workspace.parent, env=environment, start_new_session=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words: object, as_json: bool = True) -> Ran:
        """A run in a process of its own."""
        process = self.start(*words, as_json=as_json)
        try:
            stdout, stderr = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(f"{words} ran longer than {LIMIT_S} s: {stderr}") from None
        return Ran(process.returncode, stdout, stderr)

    def run_here(self, *words: object, as_json: bool = True) -> Ran:
        """The same in this process: half a second less for each."""
        stdout, stderr = io.StringIO(), io.StringIO()
        arguments = ["--workspace", str(self.workspace), *["--json"] * as_json, *map(str, words)]
        with (mock.patch.dict(os.environ, SYNTHVLM_WORKER_IDLE_S=IDLE_S), contextlib.chdir(self.workspace.parent),
              contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr)):
            code = main(arguments)
        return Ran(code, stdout.getvalue(), stderr.getvalue())

    def answer(self, *words: object) -> dict[str, Any]:
        """The object of a run that must succeed."""
        return answer_of(self.run_here(*words))

    def files(self) -> dict[str, str]:
        """A hash of every file of the workspace, by its path; not of SQLite's own bookkeeping about who has it open."""
        found = {path.relative_to(self.workspace).as_posix(): path.read_bytes()
                 for path in sorted(self.workspace.rglob("*")) if path.is_file()}
        return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()
                if not name.endswith("-shm") and not (name.endswith("-wal") and not content)}

    def end_workers(self) -> None:
        if (self.workspace / "jobs").is_dir():
            for device in ("cpu", "disk"):
                end_worker(self.workspace / "jobs", device)
