"""Who is here: comes when heard of, goes when silent, and a number tells that somebody did."""

from __future__ import annotations

from synthvlm_ui.service.curation.presence import GONE_AFTER_S, Presence


def test_the_last_to_come_stands_first_and_only_comings_and_goings_count() -> None:
    at = [0.0]
    presence = Presence(lambda: at[0])
    none, names = presence.now()
    assert names == []
    presence.note("ann")
    presence.note("bob")
    both, names = presence.now()
    assert names == ["bob", "ann"] and both != none
    at[0] = GONE_AFTER_S - 1
    presence.note("ann")
    assert presence.now() == (both, ["bob", "ann"]), "who stays keeps their place"
    at[0] = GONE_AFTER_S + 1
    left, names = presence.now()
    assert names == ["ann"] and left != both
    presence.note("bob")
    assert presence.now()[1] == ["bob", "ann"] and presence.now()[0] != left
