from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_builders import members, register_rows

from synthvlm_ui.errors import BadSetting, CorruptData, DiskFull, WorkspaceError
from synthvlm_ui.records import Caption, Selection, SelectionRule
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files import atomic


def test_a_new_directory_becomes_a_workspace_and_opens_again(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "deep" / "new") as workspace:
        assert workspace.columns.n == 0
        assert workspace.free_bytes() > 0
    with Workspace.open(tmp_path / "deep" / "new", create=False) as workspace:
        assert workspace.captions.datasets() == workspace.shards.datasets() == workspace.selections.names() == []


def test_what_is_no_workspace_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(WorkspaceError, match="thesis.tex"):
        Workspace.open(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(WorkspaceError):
        Workspace.open(tmp_path / "thesis.tex")
    with pytest.raises(WorkspaceError):
        Workspace.open(tmp_path / "absent", create=False)
    with pytest.raises(WorkspaceError):
        Workspace.open(tmp_path / "absent", read_only=True)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("content", "says"), [('{"format_version": 2}', "format 2"), ("{}", "read back"), ("", "read back")]
)
def test_a_format_that_is_newer_or_broken_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "workspace.json").write_text(content)
    with pytest.raises(WorkspaceError, match=says):
        Workspace.open(tmp_path)


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.journal.database.write("PRAGMA user_version = 99")
    with pytest.raises(WorkspaceError, match="99"):
        Workspace.open(tmp_path)


def test_a_journal_that_is_no_database_is_corrupt_data(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    (tmp_path / "journal.sqlite").write_bytes(b"not a database at all" * 100)
    for name in ("journal.sqlite-wal", "journal.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(CorruptData, match="journal"):
        Workspace.open(tmp_path)


def test_many_openings_at_once_make_one_workspace(tmp_path: Path) -> None:
    def opened(_: int) -> str:
        with Workspace.open(tmp_path / "shared") as workspace:
            return workspace.journal.id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(opened, range(16)))) == 1


def test_read_only_refuses_every_write_and_changes_nothing(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(4)))
        assert workspace.columns.n == 4
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if "journal" not in path.name)
    with Workspace.open(tmp_path, read_only=True) as workspace:
        assert workspace.columns.n == 4
        rule = SelectionRule("sample")
        for write in (
            lambda: workspace.captions.add("sample", [Caption("a", "b")]),
            lambda: workspace.shards.write("sample", "00001", members(range(2))),
            lambda: workspace.journal.append_verdict("me", "keep", [0]),
            lambda: workspace.journal.undo("me"),
            lambda: workspace.selections.save(Selection("s", rule, (), 0, 0, "")),
        ):
            with pytest.raises(WorkspaceError, match="read-only"):
                write()
    after = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if "journal" not in path.name)
    assert after == before


def test_read_only_shows_shards_that_nobody_has_registered(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00001", members(range(4)))
        workspace.columns.refresh()
        with Workspace.open(tmp_path, read_only=True) as reader:
            assert reader.columns.n == 4
            workspace.shards.write("sample", "00000", members(range(4, 6)))
            reader.columns.refresh()
            assert reader.columns.n == 6
            workspace.shards.write("other", "00000", members(range(3), "other"))
            (tmp_path / "shards" / "sample" / "00000.tar").unlink()
            workspace.columns.refresh()
            workspace.journal.append_verdict(
                "me", "reject", workspace.columns.ordinals_of([members([0], "other")[0].candidate.id])
            )
            workspace.columns.refresh()
            reader.columns.refresh()
            assert reader.columns.candidate_id.tolist() == workspace.columns.candidate_id.tolist()
            assert reader.columns.verdict.tolist() == workspace.columns.verdict.tolist()


def test_leftovers_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = tmp_path / "shards" / "sample"
    folder.mkdir()
    old = time.time() - atomic.STALE_AFTER_S - 5
    kept, gone = [], []
    for name, process, aged, expected in [
        ("a", dead.pid, True, gone),
        ("b", dead.pid, False, kept),
        ("c", os.getpid(), True, kept),
    ]:
        file = folder / f"{name}.tar.{process}-0a0b.tmp"
        file.write_bytes(b"half")
        if aged:
            os.utime(file, (old, old))
        expected.append(file)
    Workspace.open(tmp_path).close()
    assert all(file.exists() for file in kept) and not any(file.exists() for file in gone)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, 2)

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(atomic.os, "fsync", full)
        with pytest.raises(DiskFull, match="Free some space"):
            workspace.shards.write("sample", "00000", members(range(4)))
        with pytest.raises(DiskFull):
            workspace.captions.add("sample", [Caption("a", "b")])
        assert not [path for path in tmp_path.rglob("*") if path.suffix in (".tar", ".parquet", ".tmp")]
        assert workspace.shards.names("sample") == [] and workspace.captions.datasets() == []


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "ä", "x" * 65, "a b", "a\n"])
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with Workspace.open(tmp_path) as workspace:
        with pytest.raises(BadSetting):
            workspace.captions.add(name, [Caption("a", "b")])
        with pytest.raises(BadSetting):
            workspace.shards.write(name, "00000", [])
        with pytest.raises(BadSetting):
            workspace.selections.load(name)


def test_opening_loads_no_parquet_library(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    script = (
        "import sys; from synthvlm_ui.store import Workspace; w = Workspace.open(sys.argv[1]); w.columns; w.close();"
        "print('pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
