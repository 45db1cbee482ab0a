"""Stages in threads: the same results in the same order as one after the other, no hang, every error raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from synthvlm_ui.generation import in_turn, overlapped


@pytest.fixture(autouse=True)
def every_thread_ends() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("room", [1, 3])
def test_the_same_in_the_same_order_as_in_turn(room: int) -> None:
    wanted = list(in_turn(range(20), double, str))
    assert list(overlapped(range(20), double, str, room=room)) == wanted
    assert list(overlapped([], double)) == []
    assert list(overlapped(range(3))) == [0, 1, 2]


def test_stages_work_at_the_same_time() -> None:
    """Each of three stages waits until all three hold an item: in turn that would never come."""
    meeting = threading.Barrier(3, timeout=20)

    def source() -> Iterator[int]:
        for number in range(5):
            if number >= 2:
                meeting.wait()
            yield number

    def first(number: int) -> int:
        if 1 <= number <= 3:
            meeting.wait()
        return number

    def second(number: int) -> int:
        if number <= 2:
            meeting.wait()
        return number

    assert list(overlapped(source(), first, second)) == [0, 1, 2, 3, 4]


def test_no_more_waits_than_there_is_room_for() -> None:
    begun: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    results = overlapped(source(), double)
    assert next(results) == 0
    time.sleep(0.05)
    # one read, one waiting at the end, one in the stage, one before it, one in the source's hands
    assert len(begun) <= 5
    results.close()


def broken_at(wanted: int) -> Callable[[int], int]:
    def stage(number: int) -> int:
        if number == wanted:
            raise RuntimeError(f"broke at {number}")
        return number
    return stage


def broken_source() -> Iterator[int]:
    yield 0
    yield 1
    raise RuntimeError("broke at 2")


@pytest.mark.parametrize(("source", "stages"), [
    (broken_source(), (double, double)), (range(50), (broken_at(2), double)), (range(50), (double, broken_at(4))),
], ids=["source", "first", "last"])
def test_an_error_of_any_stage_is_raised_after_what_came_before(
    source: Iterable[int], stages: tuple[Callable[[int], int], ...]
) -> None:
    seen = []
    with pytest.raises(RuntimeError, match="broke at"):
        for item in overlapped(source, *stages):
            seen.append(item)
    assert len(seen) == 2


def test_leaving_the_loop_ends_the_threads() -> None:
    for item in overlapped(range(10**9), double):
        if item == 6:
            break
    assert item == 6
