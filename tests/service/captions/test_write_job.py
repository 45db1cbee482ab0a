"""Writing captions as a job: through a server that misbehaves, stopped, cut off and resumed, each is written once."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, completion, fake_server
from job_under_test import InlineContext

from synthvlm_ui.backends import Budget
from synthvlm_ui.backends.openai_writer import OpenAiWriter
from synthvlm_ui.errors import BadSetting, CorruptData, Failure, ModelUnavailable, UnknownName
from synthvlm_ui.protocols import CaptionWriter
from synthvlm_ui.service import Studio, WritingSettings
from synthvlm_ui.service.captions.write_job import run_write

COLOURS = ("red", "green", "blue", "white", "black", "brown", "pink", "grey")


def caption_for(body: dict[str, Any]) -> str:
    """A caption of 33 words of the class that the prompt names, another one for every seed."""
    name = re.search(r"following object: (.+?)\. ", body["messages"][0]["content"])
    assert name is not None
    seed = int(body["seed"])
    inside = " ".join(COLOURS[seed >> shift & 7] for shift in range(0, 21, 3))
    return (f"This is an image of a {name[1]} on a table of wood beside seven stones which are {inside} "
            "while the light falls from the left through a tall window behind it")


class Moody:
    """Fails, stalls, limits its rate, talks nonsense and refuses every third request, whoever asks."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, number: int, body: dict[str, Any]) -> Any:
        moods: list[tuple[str, Any]] = [
            ("broken", (500, {}, b"boom")), ("limited", (429, {"Retry-After": "0"}, b"slow down")),
            ("malformed", (200, {}, b'{"choices": [{"mess')), ("empty", (200, {}, b"")),
            ("refusal", "I'm sorry, but I cannot help with that."), ("short", "This is an image of a thing."),
        ]
        if number in (40, 90):
            return None  # stalls
        with self._lock:
            mood, reply = moods[number // 3 % len(moods)]
            if number % 3 == 0:
                self.told[mood] += 1
                return reply
        return caption_for(body)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WRITER_TIMEOUT_S", "0.4")


def opener(server: FakeServer) -> Callable[[str, Budget], CaptionWriter]:
    return lambda name, budget: OpenAiWriter(name, budget=budget, pause=lambda seconds: None)


def job(studio: Studio, server: FakeServer, count: int, stop_after: int | None = None, **changes: Any) -> InlineContext:
    config = {"dataset": "written", "writer": server.name, "classes": [f"thing {n % 20}" for n in range(count)],
              "seed": 1, "temperature": 1.0} | changes
    return InlineContext(studio.workspace.paths.jobs / "20261121T000000-0001", config, stop_after)


def run(context: InlineContext, studio: Studio, server: FakeServer) -> Any:
    return run_write(context, studio.workspace, opener(server))  # type: ignore[arg-type]


def texts(studio: Studio) -> list[str]:
    return [caption.caption for caption in studio.workspace.captions.load("written")]


def test_two_hundred_captions_through_a_moody_server_are_written_once_each(studio: Studio) -> None:
    moody = Moody()
    with fake_server(moody) as server:
        result = run(job(studio, server, 200), studio, server)
    assert (result["written"], result["rejected"]) == (200, 0)
    assert len(moody.told) == 6, "every mood was met"
    assert "refusal" in result["asked_again"]
    stored = studio.workspace.captions.load("written")
    assert len(stored) == len({caption.caption for caption in stored}) == 200
    assert Counter(caption.meta["class"] for caption in stored) == {f"thing {n}": 10 for n in range(20)}
    assert all(caption.meta["class"] in caption.caption for caption in stored)
    facts = stored[0].meta
    assert facts["model"] == "fake" and facts["profile"] == "synth2" and "[object]" in facts["template"]


def test_a_stopped_job_goes_on_where_it_was_and_ends_with_the_same_captions(studio: Studio, tmp_path: Path) -> None:
    with fake_server(lambda _n, body: caption_for(body)) as server:
        first = run(job(studio, server, 100, stop_after=3), studio, server)
        assert 0 < first["written"] < 100
        asked = len(server.requests)
        last = run(job(studio, server, 100), studio, server)
        assert len(server.requests) - asked == 100 - first["written"], "nothing is asked twice"
        assert last["written"] == 100
        quiet = Studio.open(tmp_path / "quiet")
        run(job(quiet, server, 100), quiet, server)
        assert texts(quiet) == texts(studio)
        quiet.close()


def test_a_line_cut_by_a_kill_is_written_again(studio: Studio) -> None:
    with fake_server(lambda _n, body: caption_for(body)) as server:
        context = job(studio, server, 40)
        run(context, studio, server)
        ledger = context.dir / "written.jsonl"
        content = ledger.read_bytes()
        ledger.write_bytes(content[: len(content) * 2 // 3])
        result = run(job(studio, server, 40), studio, server)
        assert result["written"] == 40
        assert ledger.read_bytes() == content
    assert len(texts(studio)) == 40
    ledger.write_bytes(b"nonsense\n" + content)
    with pytest.raises(CorruptData, match="ledger"):
        run(job(studio, server, 40), studio, server)


def test_what_never_passes_is_a_row_with_its_reason(studio: Studio) -> None:
    def answer(_number: int, body: dict[str, Any]) -> str:
        return "I'm sorry, I cannot." if "thing 3" in str(body["messages"]) else caption_for(body)

    with fake_server(answer) as server:
        result = run(job(studio, server, 20), studio, server)
    assert (result["written"], result["rejected"], result["reasons"]) == (18, 2, {"refusal": 2}) or (
        result["written"] == 19 and result["reasons"] == {"refusal": 1})
    assert result["rejected_rows"][0]["reason"] == "refusal"
    assert "sorry" in result["rejected_rows"][0]["excerpt"]


def test_a_writer_that_repeats_itself_is_asked_again_and_then_rejected(studio: Studio) -> None:
    studio.captions.import_texts(caption_for({"messages": [{"content": "following object: fox. "}], "seed": 0}).upper(),
                                 "written")

    def answer(_number: int, body: dict[str, Any]) -> str:
        return caption_for(body | {"seed": 0})

    with fake_server(answer) as server:
        result = run(job(studio, server, 2, classes=["fox", "dog"]), studio, server)
    assert (result["written"], result["reasons"]) == (1, {"duplicate": 1})


def test_a_budget_ends_the_job_and_the_rest_are_rows(studio: Studio) -> None:
    with fake_server(lambda _n, body: (200, {}, completion(caption_for(body), 70))) as server:
        result = run(job(studio, server, 60, max_requests=20), studio, server)
        assert len(server.requests) == 20
    assert (result["written"], result["requests"], result["tokens"]) == (20, 20, 1400)
    assert result["reasons"] == {"the budget is spent": 40}


def test_a_resumed_job_has_only_what_is_left_of_its_budget(studio: Studio) -> None:
    with fake_server(lambda _n, body: caption_for(body)) as server:
        run(job(studio, server, 60, stop_after=1, max_requests=40), studio, server)
        run(job(studio, server, 60, max_requests=40), studio, server)
        assert len(server.requests) == 40


@pytest.mark.parametrize(("status", "error"), [(401, ModelUnavailable), (503, Failure)])
def test_a_server_that_answers_nothing_fails_the_job_and_resuming_writes_the_rest(
    studio: Studio, status: int, error: type[Exception]
) -> None:
    def answer(number: int, body: dict[str, Any]) -> Any:
        return caption_for(body) if number < 16 or awake.is_set() else (status, {}, b"no")

    awake = threading.Event()
    with fake_server(answer) as server:
        with pytest.raises(error):
            run(job(studio, server, 40), studio, server)
        kept = texts(studio)
        assert len(kept) == 16
        awake.set()
        assert run(job(studio, server, 40), studio, server)["written"] == 40
    assert texts(studio)[:16] == kept and len(texts(studio)) == 40


@pytest.mark.parametrize("changes", [
    {"count": 0}, {"temperature": float("nan")}, {"sampling": "odd"}, {"words": "5"}, {"dataset": "../up"},
    {"max_requests": 0}, {"writing_prompt": "no place for it", "writer": "openai:m@http://127.0.0.1:9/v1"},
    {"words": "20:30"}, {"classes": "FILE"},
])
def test_what_cannot_be_written_is_refused_before_a_job_exists(studio: Studio, tmp_path: Path,
                                                               changes: dict[str, Any]) -> None:
    if changes.get("classes"):
        (tmp_path / "classes.txt").write_text("zebra\ncat\n")
        changes = {"classes": str(tmp_path / "classes.txt")}
    settings = WritingSettings(**({"dataset": "written", "count": 3} | changes))
    with pytest.raises(BadSetting) as caught:
        studio.writing.start(settings)
    assert caught.value.fix
    assert studio.jobs.list()["jobs"] == []


def test_an_unknown_writer_is_named(studio: Studio) -> None:
    with pytest.raises(UnknownName, match="nosuch"):
        studio.writing.start(WritingSettings("written", 3, writer="nosuch"))


def test_a_preview_shows_prompts_and_the_command_that_does_it(studio: Studio) -> None:
    shown = studio.writing.preview(WritingSettings("written", 48, sampling="balanced"))
    assert shown["profile"] == "small-world" and shown["classes"] == 48 and len(shown["prompts"]) == 5
    assert shown["class_entropy_bits"] == pytest.approx(5.585, abs=0.001)
    assert shown["command"].endswith("captions write --dataset written --count 48 --balance")
    big = studio.writing.preview(WritingSettings("written", 10, writer="openai:m@http://127.0.0.1:9/v1", words="20:30"))
    assert big["profile"] == "synth2" and big["classes"] >= 1000
    assert "--words 20:30" in big["command"]
