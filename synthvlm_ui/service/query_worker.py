"""The process behind ``service.work.query``: ``python -m synthvlm_ui.service.query_worker``.

Reads a question per line, answers with a line, keeps the models it opened, and leaves when nobody asks. Holds the CPU
only: a graphics card belongs to the jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from synthvlm_ui.errors import BadSetting, ModelUnavailable, SynthVLMError

Answer = dict[str, Any]
POLITENESS = 5


def main(arguments: list[str] | None = None) -> None:
    """Answers until its input ends or nobody has asked for ``--idle-s`` seconds."""
    parser = argparse.ArgumentParser(prog="python -m synthvlm_ui.service.query_worker", description=__doc__)
    parser.add_argument("--idle-s", type=float, default=300.0)
    options = parser.parse_args(arguments)
    os.nice(POLITENESS)
    # What libraries print must not be taken for answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    desk = _Questions()
    pending = b""
    while True:
        if not select.select([0], [], [], options.idle_s)[0]:
            return
        read = os.read(0, 1 << 20)
        if not read:
            return
        pending += read
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            _write(answers, json.dumps(desk.answer(line)).encode("utf-8") + b"\n")


class _Questions:
    """What each kind of question does; models are opened by the first question that needs them."""

    def __init__(self) -> None:
        self._embedders: dict[str, Any] = {}
        self._captioners: dict[str, Any] = {}
        self._kinds: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "embed_text": self._embed_text, "caption": self._caption,
            "ping": lambda payload: {"pong": payload.get("word")}}

    def answer(self, line: bytes) -> Answer:
        """The answer, or the error as data."""
        try:
            question = json.loads(line)
            if question["kind"] not in self._kinds:
                raise BadSetting(f"nobody answers questions of the kind {question['kind']!r}")
            return self._kinds[question["kind"]](question["payload"])
        except SynthVLMError as error:
            return {"error": {"kind": type(error).__name__, "what": error.what, "where": error.where,
                              "fix": error.fix}}
        except Exception as error:
            traceback.print_exc()
            return {"error": {"kind": "Failure", "what": f"{type(error).__name__}: {error}"}}

    def _embed_text(self, payload: Mapping[str, Any]) -> Answer:
        from synthvlm_ui.backends import create_embedder

        settings = payload["settings"]
        model = str(settings.get("model", ""))
        if model not in self._embedders:
            self._embedders[model] = create_embedder(model, device="cpu")
        embedder = self._embedders[model]
        written, loaded = settings.get("weights"), embedder.info.settings.get("weights")
        if written and loaded != written:
            raise ModelUnavailable(f"the embeddings were made with the weights {written} of {model}, and these are "
                                   f"{loaded}", fix="Score again with the scorer clip.")
        vector = embedder.embed_texts([str(settings.get("prefix", "")) + str(payload["text"])])[0]
        return {"vector": [round(float(value), 7) for value in vector]}

    def _caption(self, payload: Mapping[str, Any]) -> Answer:
        from synthvlm_ui.service.training.trial import caption

        return caption(payload, self._captioners)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content):]


if __name__ == "__main__":
    main()
