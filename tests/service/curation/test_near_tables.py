"""Tables of near duplicates that a process of its own finds: what they hold, where they stay, and after it ended."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from synthvlm_ui.selection import HashTable, known_table
from synthvlm_ui.service.curation import near_tables
from synthvlm_ui.service.curation.near_tables import NearTables
from synthvlm_ui.store import Workspace

BITS = 8


@pytest.fixture
def hashes() -> np.ndarray:
    chance = np.random.default_rng(1)
    some = chance.integers(0, 2**63, 3000, np.int64).astype(np.uint64)
    return np.concatenate([some, some[:50], some[100:200] ^ np.uint64(0b1011)])


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(near_tables, "FEW_ROWS", 0)
    return Workspace.open(tmp_path / "workspace")


def found(tables: NearTables, hashes: np.ndarray) -> HashTable:
    until = time.monotonic() + 60
    while (share := tables.waiting(hashes, BITS)) is not None:
        assert 0 <= share <= 1 and time.monotonic() < until
        time.sleep(0.05)
    table = known_table(hashes, BITS)
    assert table is not None
    return table


def same(one: HashTable, other: HashTable) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("code", "left", "right",
                                                                                     "resembles"))


def test_the_search_runs_beside_and_is_kept_for_the_next_process(workspace: Workspace, hashes: np.ndarray) -> None:
    tables = NearTables(workspace)
    assert tables.waiting(hashes, BITS) == 0.0, "nobody waits for it"
    expected = HashTable.of(hashes, BITS)
    assert same(found(tables, hashes), expected) and len(expected.left) >= 100
    again = hashes.copy()
    assert NearTables(workspace).waiting(again, BITS) is None, "it was read from disk"
    assert same(known_table(again, BITS), expected)


def test_after_a_few_new_images_the_table_is_that_of_a_whole_search(workspace: Workspace, hashes: np.ndarray) -> None:
    known = HashTable.of(hashes, BITS)
    more = np.concatenate([hashes[20:], hashes[:300] ^ np.uint64(1 << 40), hashes[5:6]])
    assert same(HashTable.of(more, BITS, known), HashTable.of(more, BITS))
    tables = NearTables(workspace)
    found(tables, hashes)
    assert same(found(tables, more), HashTable.of(more, BITS))


def test_a_damaged_table_is_found_again_and_a_read_only_workspace_stays_as_it_is(workspace: Workspace,
                                                                                 hashes: np.ndarray) -> None:
    found(NearTables(workspace), hashes)
    for file in (workspace.paths.temp / near_tables.FOLDER).rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    before = sorted(workspace.paths.root.rglob("*"))
    looking = Workspace.open(workspace.paths.root, create=False, read_only=True)
    assert same(found(NearTables(looking), hashes.copy()), HashTable.of(hashes, BITS))
    assert sorted(workspace.paths.root.rglob("*")) == before


def test_a_search_that_ends_early_is_begun_again(workspace: Workspace, hashes: np.ndarray) -> None:
    tables = NearTables(workspace)
    tables.close()  # which kills whatever starts
    tables.waiting(hashes, BITS)
    while tables._running:
        time.sleep(0.01)
    assert known_table(hashes, BITS) is None
    tables._closed = False
    assert same(found(tables, hashes), HashTable.of(hashes, BITS))
