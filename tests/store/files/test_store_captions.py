from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_builders import flip_byte

from synthvlm_ui.errors import BadSetting, CorruptData, DuplicateId, EmptyInput, UnknownName
from synthvlm_ui.records import Caption
from synthvlm_ui.store import AddedCaptions, CaptionStore, WorkspacePaths
from synthvlm_ui.store.files import captions as captions_module


@pytest.fixture
def store(tmp_path: Path) -> CaptionStore:
    return CaptionStore(WorkspacePaths(tmp_path))


def parquets(store: CaptionStore, tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*.parquet"))


def test_captions_read_back_as_they_were(store: CaptionStore) -> None:
    given_captions = [
        Caption("1", 'a \N{SNOWMAN}\nred "cube"', "images/1.png", "coco", {"split": "val", "n": [1, 2.5]}),
        Caption("0", "second", None, ""),
    ]
    assert store.add("sample", iter(given_captions), source="file.json") == AddedCaptions(2, 0, 0)
    assert store.load("sample") == [given_captions[0], Caption("0", "second", None, "file.json")]
    assert store.get("sample", "1") == given_captions[0]
    assert (store.datasets(), store.count("sample")) == (["sample"], 2)


def test_unknown_names_list_the_known(store: CaptionStore) -> None:
    store.add("sample", [Caption("1", "x")])
    for ask in (lambda: store.load("sampel"), lambda: store.count("sampel"), lambda: store.get("sampel", "1")):
        with pytest.raises(UnknownName, match="sample"):
            ask()
    with pytest.raises(UnknownName, match="Known: 1"):
        store.get("sample", "2")


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 8), st.integers(0, 99)), min_size=1, max_size=12),
            st.sampled_from(["skip", "replace"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_imports_add_up_like_a_dictionary(tmp_path_factory: pytest.TempPathFactory, imports: list) -> None:
    store, model = CaptionStore(WorkspacePaths(tmp_path_factory.mktemp("captions"))), {}
    for rows, mode in imports:
        imported = duplicates = replaced = 0
        for number, text in rows:
            if str(number) not in model:
                imported += 1
                model[str(number)] = str(text)
            elif mode == "replace":
                replaced += 1
                model[str(number)] = str(text)
            else:
                duplicates += 1
        added = store.add("sample", [Caption(str(number), str(text)) for number, text in rows], on_duplicate=mode)
        assert added == AddedCaptions(imported, duplicates, replaced)
    assert [(caption.id, caption.caption) for caption in store.load("sample")] == list(model.items())
    assert store.count("sample") == len(model)
    assert all(store.get("sample", name).caption == text for name, text in model.items())


def test_a_refused_import_leaves_nothing(store: CaptionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions_module, "BATCH_ROWS", 2)
    store.add("sample", [Caption("1", "x")])
    before = parquets(store, tmp_path)

    def broken() -> Iterator[Caption]:
        yield from (Caption(str(number), "y") for number in range(2, 9))
        raise RuntimeError("the reader broke")

    with pytest.raises(RuntimeError):
        store.add("sample", broken())
    with pytest.raises(DuplicateId, match="'1'"):
        store.add(
            "sample", [Caption("2", "y"), Caption("3", "y"), Caption("4", "y"), Caption("1", "z")], on_duplicate="error"
        )
    with pytest.raises(BadSetting, match="bad-one"):
        store.add("sample", [Caption("2", "y"), Caption("3", "y"), Caption("bad-one", "\ud800")])
    with pytest.raises(EmptyInput):
        store.add("sample", [])
    with pytest.raises(EmptyInput):
        store.add("another", [])
    with pytest.raises(BadSetting):
        store.add("sample", [Caption("", "y")])
    with pytest.raises(BadSetting):
        store.add("sample", [Caption("5", "y")], on_duplicate="maybe")  # type: ignore[arg-type]
    assert parquets(store, tmp_path) == before
    assert not list(tmp_path.rglob("*.tmp"))
    assert store.load("sample") == [Caption("1", "x")]
    assert store.datasets() == ["sample"]


def test_an_import_of_only_known_captions_writes_no_file(store: CaptionStore, tmp_path: Path) -> None:
    store.add("sample", [Caption("1", "x")])
    assert store.add("sample", [Caption("1", "x")]) == AddedCaptions(0, 1, 0)
    assert len(parquets(store, tmp_path)) == 1


def test_a_damaged_file_is_named(store: CaptionStore, tmp_path: Path) -> None:
    store.add("sample", [Caption(str(number), "x" * 50) for number in range(50)])
    path = next(tmp_path.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptData, match="000001.parquet"):
        store.load("sample")
    with pytest.raises(CorruptData, match="000001.parquet"):
        store.count("sample")
    flip_byte(path, 0)
    with pytest.raises(CorruptData):
        store.add("sample", [Caption("new", "x")])
