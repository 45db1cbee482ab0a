from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from synthvlm_ui.store.files import atomic


def test_a_file_is_synced_before_it_gets_its_name_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, done = tmp_path / "file", []
    replace = os.replace

    def fsync(descriptor: int) -> None:
        done.append(
            "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else f"file of {os.fstat(descriptor).st_size}"
        )

    def replaced(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    monkeypatch.setattr(atomic.os, "replace", replaced)
    atomic.write_bytes(path, b"12345")
    assert done == ["file of 5", "rename", "folder"] and path.read_bytes() == b"12345"


def test_a_broken_write_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def visit() -> None:
        nonlocal inside, most
        for _ in range(20):
            with atomic.exclusive(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
