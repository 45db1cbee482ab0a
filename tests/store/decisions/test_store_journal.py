from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap
from store_builders import register_rows

from synthvlm_ui.errors import BadSetting, CorruptData, EmptyInput
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.store import CandidateColumns, Journal, Workspace
from synthvlm_ui.store.decisions.bitmaps import as_ordinals, bitmap_of, packed, unpacked

ROWS = 700
VALUES = {"keep": 1, "reject": -1, "clear": 0}


@dataclass
class SlowVerdicts:
    """What undo and redo mean, said without any cleverness: the reference for the property test."""

    acts: list[list] = field(default_factory=list)  # [actor, value, rows, counts]
    undone: dict[str, list[list]] = field(default_factory=dict)

    def decide(self, actor: str, verdict: str, rows: set[int]) -> None:
        self.acts.append([actor, VALUES[verdict], rows, True])
        self.undone[actor] = []

    def undo(self, actor: str) -> bool:
        for act in reversed(self.acts):
            if act[0] == actor and act[3]:
                act[3] = False
                self.undone.setdefault(actor, []).append(act)
                return True
        return False

    def redo(self, actor: str) -> bool:
        if not self.undone.get(actor):
            return False
        self.undone[actor].pop()[3] = True
        return True

    def verdicts(self) -> list[int]:
        found = [0] * ROWS
        for _, value, rows, counts in self.acts:
            if counts:
                for row in rows:
                    found[row] = value
        return found


actors = st.sampled_from(["ann", "bob"])
some_rows = st.one_of(
    st.sets(st.integers(0, ROWS - 1), min_size=1, max_size=4),
    st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1)).map(
        lambda ends: set(range(min(ends), max(ends) + 1))
    ),
)
steps = st.one_of(
    st.tuples(st.just("decide"), actors, st.sampled_from(list(VALUES)), some_rows),
    st.tuples(st.sampled_from(["undo", "redo"]), actors),
    st.tuples(st.just("look")),
    st.tuples(st.just("reopen")),
)


@settings(max_examples=30)
@given(st.lists(steps, min_size=1, max_size=25))
def test_undo_and_redo_do_what_the_slow_model_does(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple]
) -> None:
    model = SlowVerdicts()
    with Workspace.open(tmp_path_factory.mktemp("undo")) as workspace:
        register_rows(workspace, ROWS)
        columns = workspace.columns
        for step in script:
            if step[0] == "decide":
                workspace.journal.append_verdict(step[1], step[2], step[3])
                model.decide(*step[1:])
            elif step[0] == "look":
                columns.refresh()
                assert columns.verdict.tolist() == model.verdicts()
            elif step[0] == "reopen":
                columns.save_snapshot()
                columns = CandidateColumns(workspace.paths, workspace.journal)
            else:
                event = getattr(workspace.journal, step[0])(step[1])
                assert (event is not None) == getattr(model, step[0])(step[1])
        columns.refresh()
        assert columns.verdict.tolist() == model.verdicts()
        columns.rebuild()
        assert columns.verdict.tolist() == model.verdicts()


def test_a_later_single_verdict_survives_the_undo_of_a_bulk_act(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        journal, columns = workspace.journal, workspace.columns
        journal.append_verdict("ann", "keep", range(500), rule=SelectionRule("sample", top_k=500).to_json())
        journal.append_verdict("bob", "reject", [7])
        undone = journal.undo("ann")
        assert undone is not None and undone.kind == "undo" and undone.verdict == "keep" and undone.count == 500
        columns.refresh()
        assert columns.verdict[7] == -1 and np.count_nonzero(columns.verdict) == 1
        assert journal.undo("ann") is None
        journal.redo("ann")
        columns.refresh()
        assert columns.verdict[7] == -1 and np.count_nonzero(columns.verdict == 1) == 499
        journal.append_verdict("ann", "clear", [3])
        columns.refresh()
        assert columns.verdict[3] == 0
        journal.undo("ann")
        columns.refresh()
        assert columns.verdict[3] == 1


def test_events_tell_who_did_what_by_which_rule(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        journal, rule = workspace.journal, SelectionRule("sample", clip_min=0.3).to_json()
        first = journal.append_verdict("ann", "reject", [5, 3, 5], rule=rule)
        journal.undo("ann")
        note = journal.append("note", "bob", {"text": "ä"})
        events = journal.events()
        assert [(event.kind, event.actor, event.verdict, event.target) for event in events] == [
            ("verdict", "ann", "reject", None),
            ("undo", "ann", "reject", first),
            ("note", "bob", None, None),
        ]
        assert events[0].ordinals().tolist() == [3, 5] and events[0].rule == rule
        assert events[0].to_json()["count"] == 2
        assert [event.id for event in journal.events(first, 1)] == [first + 1]
        assert [event.id for event in journal.events(kinds=("note",))] == [note] and journal.last_id() == note


def test_impossible_acts_are_refused(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        journal = workspace.journal
        for ordinals in ([ROWS], [-1], [0.5], [2**32]):
            with pytest.raises(BadSetting):
                journal.append_verdict("ann", "keep", ordinals)
        with pytest.raises(BadSetting):
            journal.append_verdict("ann", "maybe", [0])  # type: ignore[arg-type]
        with pytest.raises(BadSetting):
            journal.append_verdict("", "keep", [0])
        with pytest.raises(BadSetting):
            journal.append("verdict", "ann", {})
        with pytest.raises(EmptyInput):
            journal.append_verdict("ann", "keep", [])
        assert journal.last_id() == 0 and journal.undo("ann") is None and journal.redo("ann") is None


def test_nothing_in_the_journal_can_be_changed_or_deleted(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        workspace.journal.append_verdict("ann", "keep", [0])
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    for statement in (
        "DELETE FROM event",
        "UPDATE event SET actor = 'x'",
        "DELETE FROM shard",
        "UPDATE shard SET name = 'x'",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


def test_every_commit_is_written_ahead_and_synced(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        assert workspace.journal.database.one("PRAGMA journal_mode") == "wal"
        assert workspace.journal.database.one("PRAGMA synchronous") == 2


@pytest.mark.parametrize("share", [0.001, 0.1, 0.37, 0.5, 0.9, 1.0])
def test_a_million_rows_fit_125_kilobytes(share: float) -> None:
    rows = np.flatnonzero(np.random.default_rng(1).random(1_000_000) < share).astype(np.uint32)
    blob = packed(rows)
    assert len(blob) <= 125 * 1024
    assert np.array_equal(unpacked(bitmap_of(blob)), rows)


def test_rows_may_come_in_any_form() -> None:
    for rows in ([3, 1, 3], {1, 3}, np.array([3, 1]), BitMap([1, 3]), (n for n in (1, 3)), np.array([1, 3], np.uint8)):
        assert as_ordinals(rows).tolist() == [1, 3]


def test_a_broken_bitmap_is_corrupt_data(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        workspace.journal.database.write(
            "INSERT INTO event (at, actor, kind, verdict, ordinals) VALUES ('', 'ann', 'verdict', 'keep', x'7801FF')"
        )
        with pytest.raises(CorruptData, match="event 1"):
            workspace.journal.events()[0].ordinals()


APPENDER = """
import sys
from synthvlm_ui.store import Workspace
with Workspace.open(sys.argv[1]) as workspace:
    for number in range(40):
        workspace.journal.append_verdict(sys.argv[2], ("keep", "reject")[number % 2], [number, 300 + number])
        if number % 5 == 4:
            workspace.journal.undo(sys.argv[2])
"""


def test_two_processes_decide_at_once(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        columns = workspace.columns
        writers = [subprocess.Popen([sys.executable, "-c", APPENDER, str(tmp_path), actor]) for actor in ("ann", "bob")]
        while any(writer.poll() is None for writer in writers):
            columns.refresh()
        assert [writer.wait() for writer in writers] == [0, 0]
        columns.refresh()
        model = SlowVerdicts()
        events = workspace.journal.events()
        for event in events:
            if event.kind == "verdict":
                model.decide(event.actor, event.verdict, set(event.ordinals().tolist()))
            else:
                assert model.undo(event.actor)
        assert len(events) == 2 * (40 + 8)
        assert columns.verdict.tolist() == model.verdicts()


def test_threads_share_one_journal(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, ROWS)
        journal: Journal = workspace.journal
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(lambda row: journal.append_verdict("ann", "keep", [row]), range(64)))
        assert sorted(ids) == list(range(1, 65))
        assert {int(event.ordinals()[0]) for event in journal.events()} == set(range(64))
