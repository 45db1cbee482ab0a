"""The writer over HTTP against a server that misbehaves in every way a server can."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fake_server import FakeServer, Reply, completion, fake_server, slowly

from synthvlm_ui.backends.http_patience import Budget, BudgetSpent, retry_after_s, wait_s
from synthvlm_ui.backends.openai_writer import OpenAiWriter
from synthvlm_ui.errors import BadSetting, GenerationFailed, ModelUnavailable
from synthvlm_ui.protocols import WriteRequest

GOOD = "This is an image of a cat."


def writer_of(server: FakeServer, waits: list[float] | None = None, **options: object) -> OpenAiWriter:
    waited = waits if waits is not None else []
    return OpenAiWriter(server.name, pause=waited.append, **options)  # type: ignore[arg-type]


def first(*replies: Reply) -> object:
    """These replies in turn, then a good one for ever."""
    left, lock = list(replies), threading.Lock()

    def answer(_number: int, _body: dict[str, object]) -> object:
        with lock:
            return left.pop(0) if left else GOOD

    return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WRITER_TIMEOUT_S", "0.3")


def test_what_is_asked_is_a_chat_completion() -> None:
    with fake_server() as server:
        assert writer_of(server).write([WriteRequest("Say it.", seed=7, temperature=0.5, max_new_tokens=9)])
        body = server.requests[0]
    assert body["model"] == "fake"
    assert body["messages"] == [{"role": "user", "content": "Say it."}]
    assert (body["temperature"], body["max_tokens"], body["seed"], body["stream"]) == (0.5, 9, 7, False)


def test_an_image_travels_inside_the_request() -> None:
    with fake_server() as server:
        writer_of(server).write([WriteRequest("What?", image=np.zeros((4, 4, 3), np.uint8))])
        text, image = server.requests[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "What?"}
    assert image["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("bad", [
    (500, {}, b"broken"), (503, {}, b""), (429, {"Retry-After": "1"}, b"slow down"), (200, {}, b"{not json"),
    (200, {}, b'{"choices": []}'), (200, {}, json.dumps({"choices": [{"message": {"content": None}}]}).encode()),
    (200, {}, b""), None, (200, {"X-Drip": "yes"}, b""),
])
def test_what_another_attempt_may_mend_is_asked_again(bad: Reply) -> None:
    waits: list[float] = []
    with fake_server(first(bad, bad)) as server:  # type: ignore[arg-type]
        assert writer_of(server, waits).write([WriteRequest("Say it.")]) == [GOOD]
        assert len(server.requests) == 3
    assert len(waits) == 2 and all(0 < wait < 2 for wait in waits)


def test_after_the_last_attempt_the_reason_is_the_result() -> None:
    with fake_server(lambda _n, _b: (503, {}, b"asleep")) as server:
        (result,) = writer_of(server, attempts=3).write([WriteRequest("Say it.")])
        assert len(server.requests) == 3
    assert isinstance(result, GenerationFailed) and "asleep" in str(result) and "3 attempts" in str(result)


def test_a_refused_request_is_not_asked_again_and_costs_its_neighbours_nothing() -> None:
    def answer(_number: int, body: dict[str, object]) -> object:
        return (400, {}, b"no such thing") if "bad" in str(body["messages"]) else GOOD

    with fake_server(answer) as server:  # type: ignore[arg-type]
        results = writer_of(server).write([WriteRequest("good"), WriteRequest("bad"), WriteRequest("good")])
        assert len(server.requests) == 3
    assert results[0] == results[2] == GOOD
    assert isinstance(results[1], GenerationFailed) and "no such thing" in str(results[1])


def test_a_refused_key_ends_the_call_instead_of_asking_a_thousand_times() -> None:
    with fake_server(lambda _n, _b: (401, {}, b"who are you")) as server:
        results = writer_of(server).write([WriteRequest("Say it.")] * 100)
        assert len(server.requests) <= 16
    assert all(isinstance(result, ModelUnavailable) for result in results)


def test_a_redirect_is_not_followed() -> None:
    with fake_server() as other:
        with fake_server(lambda _n, _b: (302, {"Location": other.url + "/chat/completions"}, b"")) as server:
            (result,) = writer_of(server).write([WriteRequest("Say it.")])
        assert isinstance(result, GenerationFailed)
        assert other.requests == []


def test_the_key_goes_to_its_own_server_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("sesame\n")
    monkeypatch.setenv("SYNTHVLM_WRITER_KEY_FILE", str(tmp_path / "key"))
    with fake_server() as own, fake_server() as other:
        monkeypatch.setenv("SYNTHVLM_WRITER_URL", own.url)
        for server in (own, other):
            writer_of(server).write([WriteRequest("Say it.")])
        assert own.headers[0]["Authorization"] == "Bearer sesame"
        assert "Authorization" not in other.headers[0]
    monkeypatch.setenv("SYNTHVLM_WRITER_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(BadSetting, match="cannot be read"):
        OpenAiWriter(own.name)


def test_several_are_asked_at_a_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WRITER_CONCURRENCY", "3")
    with fake_server(lambda _n, _b: slowly(0.03, GOOD)) as server:
        assert writer_of(server).write([WriteRequest("Say it.")] * 12) == [GOOD] * 12
        assert 2 <= server.most_at_a_time <= 3


@pytest.mark.parametrize(("budget", "most"), [(Budget(max_requests=5), 5), (Budget(max_tokens=100), 16)])
def test_a_budget_is_kept(budget: Budget, most: int) -> None:
    with fake_server(lambda _n, _b: (200, {}, completion(GOOD, tokens=50))) as server:
        results = writer_of(server, budget=budget).write([WriteRequest("Say it.")] * 40)
        assert 2 <= len(server.requests) <= most
    assert sum(result == GOOD for result in results) == len(server.requests)
    assert sum(isinstance(result, BudgetSpent) for result in results) == 40 - len(server.requests)
    assert budget.spent


def test_a_server_that_wants_the_other_name_of_the_length_gets_it() -> None:
    def answer(_number: int, body: dict[str, object]) -> object:
        return GOOD if "max_completion_tokens" in body else (400, {}, b"use max_completion_tokens instead")

    with fake_server(answer) as server:  # type: ignore[arg-type]
        assert writer_of(server).write([WriteRequest("Say it.")]) == [GOOD]


def test_thoughts_of_a_reasoning_model_are_left_out() -> None:
    with fake_server(lambda _n, _b: f"<think>hm, a cat?\n</think>\n\n{GOOD}") as server:
        assert writer_of(server).write([WriteRequest("Say it.")]) == [GOOD]


def test_waits_grow_are_jittered_and_follow_the_server() -> None:
    assert [wait_s(attempt, None, lambda: 1.0) for attempt in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert wait_s(3, None, lambda: 0.0) == 2
    assert wait_s(0, 7.0, lambda: 0.0) == 7
    assert wait_s(0, 1e9, lambda: 0.0) == 300


@pytest.mark.parametrize(("header", "seconds"), [
    ("3", 3), ("0.5", 0.5), ("-1", 0), (None, None), ("soon", None), ("nan", None),
    ("Sat, 21 Nov 2026 10:00:30 GMT", 30), ("Sat, 21 Nov 2026 09:00:00 GMT", 0),
])
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 11, 21, 10, tzinfo=UTC)) == seconds
