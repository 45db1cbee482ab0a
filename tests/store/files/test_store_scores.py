from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthvlm_ui.errors import BadSetting, CorruptData, UnknownName
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.store import ScoreStore, WorkspacePaths

CLIP = ScorerInfo("clip", ("clip_cosine", "truncated", "hash"), {"model": "tiny", "sizes": [1, 2], "note": "ä"})
IDS = ["a1", "b2", "c3"]
COLUMNS = {
    "clip_cosine": np.array([0.25, np.nan, 0.5], np.float32),
    "truncated": np.array([True, False, False]),
    "hash": np.array([2**63 + 1, 0, 7], np.uint64),
}


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    return ScoreStore(WorkspacePaths(tmp_path))


def test_scores_and_embeddings_read_back(store: ScoreStore) -> None:
    embeddings = np.random.default_rng(0).normal(size=(3, 8))
    store.write("sample", "00000", CLIP, IDS, COLUMNS, embeddings)
    read = store.read("sample", "00000", CLIP.key)
    assert read.scorer == CLIP == store.scorer("sample", "00000", CLIP.key)
    assert read.candidate_ids.tolist() == [b"a1", b"b2", b"c3"]
    for name, values in COLUMNS.items():
        np.testing.assert_array_equal(read.columns[name], values)
        assert read.columns[name].dtype == values.dtype
    kept = store.read_embeddings("sample", "00000", CLIP.key)
    np.testing.assert_array_equal(kept, embeddings.astype(np.float16))
    assert store.keys("sample", "00000") == [CLIP.key] and store.keys("sample", "1") == []


def test_another_setting_is_another_file(store: ScoreStore) -> None:
    other = ScorerInfo("clip", CLIP.columns, {"model": "large"})
    store.write("sample", "00000", CLIP, IDS, COLUMNS)
    store.write("sample", "00000", other, IDS, COLUMNS)
    assert store.keys("sample", "00000") == sorted([CLIP.key, other.key])
    assert store.read_embeddings("sample", "00000", CLIP.key) is None


def test_what_does_not_fit_is_refused(store: ScoreStore) -> None:
    with pytest.raises(BadSetting, match="promises"):
        store.write("sample", "00000", CLIP, IDS, {"clip_cosine": COLUMNS["clip_cosine"]})
    with pytest.raises(BadSetting, match="shape"):
        store.write("sample", "00000", CLIP, IDS[:2], COLUMNS)
    with pytest.raises(BadSetting, match="embeddings"):
        store.write("sample", "00000", CLIP, IDS, COLUMNS, np.zeros((2, 4)))
    assert store.keys("sample", "00000") == []
    with pytest.raises(UnknownName):
        store.read("sample", "00000", CLIP.key)


def test_damaged_files_are_named(store: ScoreStore, tmp_path: Path) -> None:
    store.write("sample", "00000", CLIP, IDS, COLUMNS, np.zeros((3, 4)))
    for path in (*tmp_path.rglob("*.parquet"), *tmp_path.rglob("*.npy")):
        path.write_bytes(path.read_bytes()[:60])
    for read in (store.read, store.scorer, store.read_embeddings):
        with pytest.raises(CorruptData, match=CLIP.key):
            read("sample", "00000", CLIP.key)


def test_embeddings_are_never_unpickled(store: ScoreStore, tmp_path: Path) -> None:
    store.write("sample", "00000", CLIP, IDS, COLUMNS, np.zeros((3, 4)))
    np.save(next(tmp_path.rglob("*.npy")), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CorruptData):
        store.read_embeddings("sample", "00000", CLIP.key)
