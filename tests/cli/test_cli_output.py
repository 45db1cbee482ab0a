"""What is printed where: one object on stdout, progress on stderr, in the form that the stream can show."""

from __future__ import annotations

import io
import json

import pytest

from synthvlm_ui.cli.output import Output, ProgressLine, duration, table
from synthvlm_ui.errors import UnknownName


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


JOB = {"state": "running", "progress": 0.25, "done": 120, "total": 480, "failed": 2, "eta_s": 42.2,
       "message": "drawing"}


def test_json_is_one_line_and_leaves_the_readable_lines_out() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    Output(as_json=True, stdout=stdout, stderr=stderr).result({"kept": 3, "text": "two\nlines"}, ["kept 3"])
    (line,) = stdout.getvalue().splitlines()
    assert json.loads(line) == {"schema_version": 1, "kept": 3, "text": "two\nlines"}
    assert stderr.getvalue() == ""


def test_a_number_that_json_cannot_say_is_null() -> None:
    stdout = io.StringIO()
    Output(as_json=True, stdout=stdout).result({"metrics": {"ssim": {"mean": float("nan"), "max": 0.5}}}, [])
    assert json.loads(stdout.getvalue())["metrics"] == {"ssim": {"mean": None, "max": 0.5}}


def test_an_error_is_one_line_even_when_its_text_has_several() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    error = UnknownName("unknown dataset 'a\nb'", where="--dataset", fix="Known: c.")
    Output(as_json=True, stdout=stdout, stderr=stderr).error(error)
    assert stderr.getvalue() == "error: unknown dataset 'a b' (--dataset). Known: c.\n"
    facts = json.loads(stdout.getvalue())["error"]
    assert facts == {"kind": "UnknownName", "what": "unknown dataset 'a\nb'", "where": "--dataset", "fix": "Known: c."}


def test_progress_says_how_far_how_long_and_what_failed() -> None:
    assert ProgressLine.text_of(JOB) == "[######------------------] 120/480  25%  eta 0:42  2 failed  drawing"


def test_progress_is_redrawn_on_a_terminal_and_ends_with_a_fresh_line() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    line.update(JOB)
    line.update({**JOB, "done": 121})
    line.close()
    line.close()
    assert stream.getvalue().count("\r") == 2
    assert stream.getvalue().endswith("drawing\n")
    assert stream.getvalue().count("\n") == 1


def test_progress_in_a_log_is_whole_lines_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("synthvlm_ui.cli.output.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    line = ProgressLine(stream)
    for done in range(240):
        now[0] += 0.25
        line.update({**JOB, "done": done})
    line.close()
    printed = stream.getvalue().splitlines()
    assert 5 <= len(printed) <= 7
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (59.6, "1:00"), (3661, "1:01:01"), (-3, "0:00")])
def test_durations_are_written_like_clocks(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_table_aligns_its_columns() -> None:
    assert table([("id", "state"), ("0123", "done")]) == ["id    state", "0123  done"]
    assert table([]) == []
