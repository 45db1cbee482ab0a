"""Clusterings: whole or absent, the newest one counts, later candidates have none; caption embeddings by text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthvlm_ui.errors import BadSetting, CorruptData, UnknownName, WorkspaceError
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files.clusterings import ClusteringStore

REPORT = {"k": 2, "names": ["cats", "dogs"], "created": "2026-01-01", "embedder": "lm", "more": [1]}
CODES = np.array([0, 1, -1], np.int16)


def test_the_newest_run_of_a_dataset_is_current_and_covers_later_rows_with_none(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        rows = 3
        store = ClusteringStore(workspace.paths, lambda: rows)
        assert store.current("toys") is None and store.runs() == []
        store.save("run-1", REPORT, {"toys": CODES}, {"centroids": np.eye(2)})
        store.save("run-2", {**REPORT, "names": ["a", "b"]}, {"other": CODES})
        rows = 5
        found = store.current("toys")
        assert found is not None and found.names == ("cats", "dogs") and found.k == 2 and found.run == "run-1"
        assert found.codes.tolist() == [0, 1, -1, -1, -1] and found.codes.dtype == np.int16
        assert store.runs() == ["run-1", "run-2"] and store.report("run-1") == REPORT
        assert (store.array("run-1", "centroids") == np.eye(2)).all()
        store.add_array("run-1", "map", np.zeros(3))
        assert store.arrays("run-1") == ["centroids", "codes-toys", "map"]
        store.save("run-3", {**REPORT, "names": ["x", "y"]}, {"toys": CODES[::-1]})
        newest = store.current("toys")
        assert newest is not None and newest.names == ("x", "y") and newest.codes.tolist()[:3] == [-1, 1, 0]


def test_bad_runs_are_refused_whole(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        store = workspace.clusterings
        with pytest.raises(BadSetting):
            store.save("run", {**REPORT, "names": ["one"]}, {"toys": CODES})
        with pytest.raises(ValueError):
            store.save("run", {**REPORT, "more": float("nan")}, {"toys": CODES})
        with pytest.raises(BadSetting):
            store.save("../run", REPORT, {"toys": CODES})
        assert store.runs() == [] and list(workspace.paths.temp.iterdir()) == []
        with pytest.raises(UnknownName):
            store.report("run")
        store.save("run", REPORT, {"toys": CODES})
        (workspace.paths.clusterings / "run" / "codes-toys.npy").write_bytes(b"half")
        with pytest.raises(CorruptData, match="measure again"):
            store.current("toys")
    with Workspace.open(tmp_path / "w", read_only=True) as workspace, pytest.raises(WorkspaceError):
        workspace.clusterings.save("run-2", REPORT, {})


def test_caption_embeddings_are_found_by_their_text_alone(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        store, texts = workspace.caption_embeddings, ["a cat", "a dog", "a cat", "ein Käfer"]
        assert store.missing("lm-1", texts) == ["a cat", "a dog", "ein Käfer"]
        store.add("lm-1", ["a dog", "a cat"], np.array([[1, 2], [3, 4]], np.float32))
        assert store.missing("lm-1", texts) == ["ein Käfer"] and store.missing("lm-2", texts) != []
        store.add("lm-1", ["ein Käfer"], np.array([[5, 6]], np.float32))
        assert store.load("lm-1", texts).tolist() == [[3, 4], [1, 2], [3, 4], [5, 6]]
        assert np.isnan(store.load("lm-1", ["unseen", "a cat"])[0]).all()
        with pytest.raises(BadSetting):
            store.add("lm-1", ["one"], np.zeros((2, 2)))
