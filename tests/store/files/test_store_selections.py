from __future__ import annotations

from pathlib import Path

import pytest

from synthvlm_ui.errors import BadSetting, CorruptData, UnknownName
from synthvlm_ui.records import Selection, SelectionRule
from synthvlm_ui.store import Workspace

RULE = SelectionRule("sample", clip_min=0.2, top_k=2)


def selection(name: str = "best", ids: tuple[str, ...] = ("b2", "a1")) -> Selection:
    return Selection(
        name, RULE, ids, total=5, captions_kept=2, created="2026-01-01", thresholds={"combined": 0.4, "ssim": None}
    )


def test_a_selection_reads_back_best_first(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        path = workspace.selections.save(selection(), actor="ann")
        assert path.read_text() == "b2\na1\n"
        assert workspace.selections.load("best") == selection() and workspace.selections.ids_file("best") == path
        assert workspace.selections.names() == ["best"]
        event = workspace.journal.events()[-1]
        assert (event.kind, event.actor, event.payload["kept"]) == ("selection", "ann", 2)


def test_saving_again_replaces_and_the_journal_remembers_both(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        first = workspace.selections.save(selection())
        second = workspace.selections.save(selection(ids=()))
        assert workspace.selections.load("best").candidate_ids == () and first != second
        assert first.read_text() == "b2\na1\n", "what was selected once can be looked up"
        assert len(workspace.journal.events(kinds=("selection",))) == 2


def test_unknown_and_damaged_selections_say_so(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        path = workspace.selections.save(selection())
        with pytest.raises(UnknownName, match="best"):
            workspace.selections.load("bset")
        with pytest.raises(BadSetting):
            workspace.selections.save(selection("a/b"))
        path.write_text("b2\n")
        with pytest.raises(CorruptData, match="best"):
            workspace.selections.load("best")
