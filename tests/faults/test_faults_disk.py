"""A disk that is full at any write, one that may only be read, and a clock that was set back."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from small_workspace import CAPTIONS, candidate_of, fill

from synthvlm_ui.errors import DiskFull, WorkspaceError
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.service import Studio
from synthvlm_ui.service.workspace_check import WorkspaceCheck
from synthvlm_ui.store import ShardMember
from synthvlm_ui.store.decisions import journal

DISK_KIB = 24 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 24 MiB. Needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "tmpfs", str(place)], check=False,
                          capture_output=True)
    if made.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def leave_free(disk: Path, kib: int) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - kib * 1024))
    return filler


def acts(studio: Studio, number: int) -> dict[str, Callable[[], Any]]:
    """Everything that writes into a workspace, by what a user calls it."""
    name = f"more-{number}"
    texts = "\n".join(f"caption {number} {line} of some length" for line in range(400))
    candidate = candidate_of("small", CAPTIONS[0], 100 + number)
    first = studio.workspace.columns.ids_of([number % 20])
    scorer = ScorerInfo("clip", ("clip_cosine",), {"model": f"other-{number}"})
    return {
        "import": lambda: studio.captions.import_texts(texts, name),
        "verdict": lambda: studio.curation.verdict(first, "keep"),
        "select": lambda: studio.curation.select(f"best-{number}", studio.curation.rule("small")),
        "shard": lambda: studio.workspace.shards.write("small", f"s-{number}", [
            ShardMember(candidate, b"x" * 90_000, "webp", b"y" * 9_000)]),
        "scores": lambda: studio.workspace.scores.write("small", "shard-1", scorer, first, {"clip_cosine": [0.25]}),
        "note": lambda: studio.workspace.journal.append("note", "local", {"text": "word " * 5_000}),
        "undo": lambda: studio.curation.undo(),
    }


@pytest.mark.parametrize("kib", [0, 4, 8, 20, 40, 72, 120, 200])
def test_a_disk_that_fills_up_at_any_write_loses_nothing(disk: Path, kib: int) -> None:
    root = disk / "workspace"
    studio = Studio.open(root)
    fill(studio, "small", CAPTIONS, 5)
    decided = studio.workspace.journal.last_id()
    filler = leave_free(disk, kib)
    refused = {}
    for name, act in acts(studio, 0).items():
        try:
            act()
        except DiskFull as error:
            refused[name] = str(error)
            assert "Free some space" in str(error)
    if kib == 0:
        assert {"import", "shard"} <= refused.keys()
    last = studio.workspace.journal.last_id()
    studio.close()
    filler.unlink()
    found = WorkspaceCheck(root, images=False).run()
    assert found["ok"], found["findings"]
    studio = Studio.open(root)
    try:
        studio.refresh()
        assert studio.workspace.journal.last_id() == last >= decided
        assert studio.workspace.captions.count("small") == len(CAPTIONS)
        if "import" in refused:
            assert "more-0" not in studio.captions.datasets()
        else:
            assert studio.workspace.captions.count("more-0") == 400
        assert studio.workspace.shards.exists("small", "s-0") == ("shard" not in refused)
        for act in acts(studio, 1).values():
            act()
        assert not [path for path in root.rglob("*.tmp")], "nothing half done is left"
    finally:
        studio.close()


def test_a_disk_that_may_only_be_read_is_looked_at_and_refused_for_writing(disk: Path) -> None:
    root = disk / "workspace"
    studio = Studio.open(root)
    candidates = fill(studio, "small", CAPTIONS, 5)
    studio.curation.verdict([candidates[0].id], "keep")
    studio.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(WorkspaceError, match="may only be read"):
        Studio.open(root)
    looking = Studio.open(root, read_only=True)
    try:
        looking.refresh()
        rule = looking.curation.rule("small")
        assert looking.curation.yield_of(rule)["keep_verdicts"] == 1
        assert len(looking.curation.page(rule)["items"]) == 20
        with pytest.raises(WorkspaceError, match="read-only"):
            looking.curation.verdict([candidates[1].id], "keep")
    finally:
        looking.close()


def test_a_clock_that_was_set_back_changes_no_order(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio.open(workspace)
    studio.refresh()
    first = studio.workspace.columns.ids_of([3])[0]

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(0, tz or UTC) + timedelta(days=1)

    try:
        studio.curation.verdict([first], "keep")
        monkeypatch.setattr(journal, "datetime", Yesterday)
        event = studio.curation.verdict([first], "reject")["event_id"]
        studio.refresh()
        newest = studio.workspace.journal.events()[-1]
        assert newest.id == event and newest.at.startswith("1970-01-02")
        row = int(studio.workspace.columns.ordinals_of([first])[0])
        assert studio.workspace.columns.verdict[row] < 0, "the later verdict counts, whatever the clock says"
        studio.curation.undo()
        studio.refresh()
        assert studio.workspace.columns.verdict[row] > 0
    finally:
        studio.close()
    again = Studio.open(workspace)
    try:
        again.refresh()
        assert again.workspace.columns.verdict[row] > 0
    finally:
        again.close()
