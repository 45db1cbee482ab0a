"""Damaged files: found, named, survived, and set right as far as that can be done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.service import Studio
from synthvlm_ui.service.workspace_check import WorkspaceCheck
from synthvlm_ui.store.decisions.registry import digest_of

Flip = Callable[[Path, float], None]


def check(workspace: Path, *options: str) -> tuple[int, dict[str, object]]:
    ran = CommandLine(workspace).run_here("workspace", "check", *options)
    return ran.code, ran.answer


def only(workspace: Path, pattern: str) -> Path:
    (found,) = workspace.glob(pattern)
    return found


def test_a_sound_workspace_is_all_well(workspace: Path) -> None:
    code, answer = check(workspace)
    assert (code, answer["ok"], answer["findings"]) == (0, True, [])
    assert answer["checked"] == {"journal": 1, "captions": 1, "shard": 1, "thumbnails": 1, "scores": 2, "selection": 1}


@pytest.mark.parametrize(("pattern", "kind"), [
    ("shards/small/*.tar", "shard"), ("thumbnails/small/*.tar", "thumbnails"), ("captions/small/*.parquet", "captions"),
    ("scores/small/*/ssim-*.parquet", "scores"), ("selections/*.ids.txt", "selection")])
def test_a_damaged_file_is_named_moved_aside_and_the_rest_goes_on(workspace: Path, flip: Flip, pattern: str,
                                                                  kind: str) -> None:
    file = sorted(workspace.glob(pattern))[0]
    if kind == "thumbnails":
        file.write_bytes(file.read_bytes()[:700])
    else:
        flip(file, 0.0 if kind == "shard" else 0.3)
    damaged = file.read_bytes()
    code, answer = check(workspace)
    assert code == 1 and [found["kind"] for found in answer["findings"]] == [kind], answer["findings"]
    assert file.read_bytes() == damaged, "looking changes nothing"
    code, answer = check(workspace, "--repair")
    assert code == 0 and answer["ok"] and answer["findings"][0]["repaired"], answer["findings"]
    assert check(workspace)[1]["findings"] == []
    kept = [path.read_bytes() for path in (workspace / "damaged").rglob("*") if path.is_file()]
    assert kind == "selection" or damaged in kept, "nothing is deleted"
    studio = Studio.open(workspace)
    try:
        assert studio.refresh() in (True, False)
        if kind != "shard":
            yielded = studio.curation.yield_of(studio.curation.rule("small"))
            assert yielded["total"] == 20
        if kind == "captions":
            assert studio.workspace.captions.count("small") == 4
    finally:
        studio.close()


def damaged_journal(workspace: Path) -> tuple[int, int]:
    """Overwrites one page in the middle of the events and returns how many there were, and the page's number."""
    file = workspace / "journal.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        events = connection.execute("SELECT count(*) FROM event").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        pages = connection.execute("SELECT pageno FROM dbstat WHERE name = 'event' AND pagetype = 'leaf'").fetchall()
    connection.close()
    page = pages[len(pages) // 2][0]
    content = bytearray(file.read_bytes())
    content[(page - 1) * size:page * size] = b"\xde\xad" * (size // 2)
    file.write_bytes(content)
    return events, page


def test_a_damaged_page_of_the_journal_costs_only_its_decisions(workspace: Path) -> None:
    events, _ = damaged_journal(workspace)
    studio = Studio.open(workspace)
    with pytest.raises(CorruptData, match="workspace check --repair"):
        studio.workspace.journal.events()
    studio.workspace.journal.close()
    code, answer = check(workspace)
    assert code == 1 and [found["kind"] for found in answer["findings"]] == ["journal"]
    code, answer = check(workspace, "--repair")
    assert code == 0 and answer["ok"]
    assert "could not be read" in answer["findings"][0]["repaired"]
    studio = Studio.open(workspace)
    try:
        studio.refresh()
        left = studio.workspace.journal.events()
        assert 0 < len(left) < events
        assert studio.workspace.columns.n == 20
        assert studio.workspace.columns.verdict.any()
        before = studio.curation.yield_of(studio.curation.rule("small"))
        assert studio.curation.undo()["changed"] in (0, 1)
        assert before["total"] == 20
    finally:
        studio.close()


def test_a_damaged_registration_is_found_again_by_its_shard(workspace: Path) -> None:
    file = workspace / "journal.sqlite"
    with sqlite3.connect(file) as connection:
        verdicts = connection.execute("SELECT count(*) FROM event WHERE kind = 'verdict'").fetchone()[0]
        connection.execute("DROP TRIGGER shard_stays")
        connection.execute("INSERT INTO shard SELECT base + rows, 3, 'gone', 'x', 'wrong', zeroblob(48) FROM shard")
        connection.execute("UPDATE shard SET digest = 'damaged' WHERE dataset = 'small'")
        connection.execute("INSERT INTO shard SELECT 23, 1, 'other', 'y', '', x'61616161616161616161616161616161'")
        connection.execute("UPDATE shard SET digest = ? WHERE dataset = 'other'", (digest_of(b"a" * 16),))
    connection.close()
    said = WorkspaceCheck(workspace, repair=True)._mend_journal()
    assert f"{verdicts + 61} decisions kept, 0 could not be read" in said
    studio = Studio.open(workspace)
    try:
        studio.refresh()
        assert studio.workspace.columns.verdict[:20].any(), "the decisions are on the same candidates"
    finally:
        studio.close()


def test_repairing_waits_until_nobody_uses_the_workspace(workspace: Path) -> None:
    studio = Studio.open(workspace)
    studio.serve_at("http://127.0.0.1:1/")
    try:
        ran = CommandLine(workspace).run_here("workspace", "check", "--repair")
        assert ran.code == 2 and "http://127.0.0.1:1/" in ran.stderr
        assert check(workspace)[0] == 0, "looking is allowed"
    finally:
        studio.close()
    assert check(workspace, "--repair")[0] == 0
