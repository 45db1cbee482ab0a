"""Short questions that need a model, put to a small warm process, so that this one never imports torch.

The process answers one line of JSON with one line of JSON, leaves when nobody has asked for a while, and is started
again by the next question. Knows nothing of what a question means; ``query_worker`` does.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui import errors
from synthvlm_ui.config import REPOSITORY, environment
from synthvlm_ui.errors import Failure, SynthVLMError, WorkerDied
from synthvlm_ui.store import Workspace

ANSWER_LIMIT_S = 180.0
IDLE_S = 300.0


class QueryDesk:
    """``studio.queries``: ``ask(kind, payload)`` from any thread; questions wait for each other."""

    def __init__(self, workspace: Workspace, shared: QueryDesk | None = None) -> None:
        """``shared``: the desk of another workspace whose process answers for this one too."""
        self._workspace, self._shared = workspace, shared
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def ask(self, kind: str, payload: Mapping[str, Any], limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        """The answer to a question; the first one waits some seconds for the model.

        Raises: what the answering code raised of errors.py, WorkerDied when the process ended or took too long.
        """
        if self._shared is not None:
            return self._shared.ask(kind, payload, limit_s)
        with self._lock:
            question = json.dumps({"kind": kind, "payload": dict(payload)}).encode("utf-8") + b"\n"
            # A process that left because it was idle may do so between our look and our question: then ask a new one.
            for _ in range(2):
                answer = self._put(question, time.monotonic() + limit_s)
                if answer is not None:
                    return _unwrapped(answer)
            raise WorkerDied("the process that answers questions ended", where=kind,
                             fix="See its messages above, and try again.")

    def embed_text(self, scorer_key: str, text: str) -> NDArray[np.float32]:
        """The embedding of a text by the model behind a scorer's embeddings, (D,). Raises: ModelUnavailable and others.
        """
        columns = self._workspace.columns
        scorer = next(found for found in columns.scorers() if found.key == scorer_key)
        answer = self.ask("embed_text", {"settings": dict(scorer.settings), "text": text})
        return np.array(answer["vector"], np.float32)

    def close(self) -> None:
        """Lets the process go; it leaves when its input ends."""
        process, self._process = self._process, None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _put(self, question: bytes, deadline: float) -> bytes | None:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(question)
            process.stdin.flush()
            answer = self._line(process.stdout, deadline)
        except (BrokenPipeError, ConnectionResetError):
            answer = None
        if answer is None:
            self.close()
        return answer

    def _line(self, stream: IO[bytes], deadline: float) -> bytes | None:
        while b"\n" not in self._pending:
            ready, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                self._end()
                raise WorkerDied("the process that answers questions took too long", fix="Try again.")
            read = os.read(stream.fileno(), 1 << 20)
            if not read:
                self._pending = b""
                return None
            self._pending += read
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._pending = b""
        self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._pending = b""
            command = [sys.executable, "-m", "synthvlm_ui.service.query_worker", "--idle-s",
                       environment("QUERY_IDLE_S", str(IDLE_S))]
            try:
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                 cwd=REPOSITORY, start_new_session=True)
            except OSError as error:
                raise WorkerDied(f"the process that answers questions could not be started: {error.strerror}",
                                 where=command[0], fix="Check that this Python installation is complete.") from error
        return self._process


def _unwrapped(line: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(line)
    if "error" not in answer:
        return answer
    told = answer["error"]
    kind = getattr(errors, str(told.get("kind")), None)
    if isinstance(kind, type) and issubclass(kind, SynthVLMError):
        raise kind(told["what"], where=told.get("where", ""), fix=told.get("fix", ""))
    raise Failure(told["what"], fix="See the messages of the server.")
