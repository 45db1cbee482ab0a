"""Remaining time, throttled writing, and shares of the work."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.jobs import LocalExecutor, slice_chunks
from synthvlm_ui.jobs.context import JobProgress, StatusWriter
from synthvlm_ui.jobs.job_files import JobFiles, JobStatus
from synthvlm_ui.jobs.progress import RateEstimate


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_is_promised_before_the_first_step(clock):
    rate = RateEstimate(clock)
    assert rate.eta_s(0, 10) is None
    clock.now_s += 5
    assert rate.eta_s(0, 10) is None
    assert RateEstimate(clock).eta_s(10, 10) == 0.0


@given(skipped=st.integers(0, 10**6), step_s=st.floats(0.3, 30), steps=st.integers(1, 40), left=st.integers(1, 10**5))
def test_steady_work_is_estimated_exactly_whatever_was_skipped(skipped, step_s, steps, left):
    clock = Clock()
    rate, total = RateEstimate(clock), skipped + steps + left
    rate.eta_s(skipped, total)
    for step in range(1, steps + 1):
        clock.now_s += step_s
        eta_s = rate.eta_s(skipped + step, total)
    assert eta_s == pytest.approx(left * step_s, rel=1e-3)


def test_loading_a_model_and_jumping_over_finished_work_do_not_count(clock):
    rate = RateEstimate(clock)
    rate.eta_s(0, 1000)
    clock.now_s += 40  # loads
    rate.eta_s(500, 1000)  # skips
    for done in range(501, 504):
        clock.now_s += 2
        eta_s = rate.eta_s(done, 1000)
    assert eta_s == pytest.approx((1000 - 503) * 2)


def test_estimate_follows_a_rate_that_changes(clock):
    rate = RateEstimate(clock)
    for done in range(100):
        clock.now_s += 1
        rate.eta_s(done, 1000)
    for done in range(100, 140):
        clock.now_s += 4
        eta_s = rate.eta_s(done, 1000)
    assert eta_s == pytest.approx((1000 - 139) * 4, rel=0.1)


def test_fast_reports_are_estimated_without_keeping_them_all(clock):
    rate = RateEstimate(clock)
    for done in range(100_000):
        clock.now_s += 0.001
        eta_s = rate.eta_s(done, 200_000)
    assert eta_s == pytest.approx(100, rel=0.02) and len(rate._samples) < 700


def test_second_phase_starts_anew(clock):
    rate = RateEstimate(clock)
    for done in range(10):
        clock.now_s += 1
        rate.eta_s(done, 10)
    assert rate.eta_s(0, 50) is None
    clock.now_s += 3
    assert rate.eta_s(1, 50) == pytest.approx(147)


class CountingFiles(JobFiles):
    writes = 0

    def write_status(self, status, *, durable=True):
        self.writes += 1
        super().write_status(status, durable=durable)


def test_reports_are_throttled_and_the_last_one_is_written(desk):
    id = desk.count(1)
    files = CountingFiles(desk.jobs.path / id)
    writer = StatusWriter(files, JobStatus("queued"), interval_s=0.1)
    progress = JobProgress(writer, lambda: False)
    started_s = time.monotonic()
    for done in range(20_001):
        progress.update(done, 20_000)
    desk.until(lambda: desk.jobs.show(id).done == 20_000)  # without any further report
    assert files.writes <= 2 + (time.monotonic() - started_s) / 0.1
    assert writer.close().done == 20_000


def test_full_disk_does_not_end_the_work(desk):
    id = desk.count(1)
    files = JobFiles(desk.jobs.path / id)
    refused = []
    real = files.write_status

    def write_status(status, *, durable=True):
        if len(refused) < 2:
            refused.append(status.done)
            raise OSError(28, "No space left on device")
        real(status, durable=durable)

    files.write_status = write_status
    writer = StatusWriter(files, JobStatus("queued"), interval_s=0.01)
    progress = JobProgress(writer, lambda: False)
    desk.until(lambda: progress.update(len(refused), 9) or desk.jobs.show(id).done == 2)
    writer.close()


def test_stop_once_seen_stays_seen(desk):
    answers = iter([False, True, False])
    writer = StatusWriter(desk.jobs.files(desk.count(1)), JobStatus("queued"))
    progress = JobProgress(writer, lambda: next(answers))
    assert [progress.should_stop() for _ in range(3)] == [False, True, True] and progress.stop_seen
    writer.close()


class StopAfter:
    def __init__(self, chunks: int) -> None:
        self.left = chunks

    def update(self, done, total, *, failed=0, message=""):
        raise AssertionError("chunks report themselves")

    def should_stop(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_executor_keeps_the_order_and_stops_between_chunks():
    ran: list[int] = []
    LocalExecutor(ran.append).run([7, 3, 5, 1], StopAfter(3))
    assert ran == [7, 3, 5]


@given(chunks=st.lists(st.integers(0, 10**6), unique=True), count=st.integers(1, 12))
def test_shares_are_disjoint_complete_and_alike(chunks, count):
    shares = [slice_chunks(chunks, f"{number}/{count}") for number in range(1, count + 1)]
    assert sorted(sum(shares, [])) == sorted(chunks)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert slice_chunks(chunks, None) == chunks


@pytest.mark.parametrize("worker", ["", "0/4", "5/4", "1", "1/0", "a/b", "-1/4", "1/4/2", "1.5/2", "٣/4"])
def test_share_that_is_none_is_refused(worker):
    with pytest.raises(BadSetting) as caught:
        slice_chunks([1, 2], worker)
    assert caught.value.where == "--worker" and "1/4" in caught.value.fix
