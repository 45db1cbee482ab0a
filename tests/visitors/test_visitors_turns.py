"""Fair turns: nobody waits behind everything that one visitor has queued."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.visitors.turns import FIRST_GUESS_S, Turns


def test_who_queues_much_waits_behind_everybodys_first() -> None:
    turns, waiting = Turns(), {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": ["c1", "c2"]}
    served = []
    while (visitor := turns.next(waiting)) is not None:
        served.append(waiting[visitor].pop(0))
        turns.began(visitor)
    assert served == ["a1", "b1", "c1", "a2", "c2", "a3"]


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 4), min_size=1), st.floats(0, 100))
def test_stated_places_are_the_order_in_which_jobs_run(counts: dict[str, int], left_s: float) -> None:
    turns = Turns()
    turns.began("c")
    waiting = {name: [f"{name}{n}" for n in range(count)] for name, count in counts.items()}
    places = turns.places(waiting, left_s)
    for place in range(1, sum(counts.values()) + 1):
        visitor = turns.next(waiting)
        assert visitor is not None
        job = waiting[visitor].pop(0)
        assert places[job].place == place
        assert places[job].wait_s == pytest.approx(left_s + (place - 1) * FIRST_GUESS_S)
        turns.began(visitor)
    assert turns.next(waiting) is None and len(places) == sum(counts.values())


def test_waiting_is_estimated_from_what_jobs_took() -> None:
    turns = Turns()
    turns.took(4)
    turns.took(8)
    assert turns.places({"a": ["x"], "b": ["y"]}, 3.0)["y"].wait_s == pytest.approx(9)
    turns.began("a")
    turns.forget("a")
    assert turns.next({"a": ["x"], "b": ["y"]}) == "a", "who is gone starts anew"
