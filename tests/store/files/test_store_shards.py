from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_builders import candidate, flip_byte, member, members

from synthvlm_ui.errors import BadSetting, CorruptData, DuplicateId, UnknownName
from synthvlm_ui.store import ShardMember, ShardStore, WorkspacePaths
from synthvlm_ui.store.files.tar import DamagedTar, TarFile, write_tar


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(WorkspacePaths(tmp_path))


def test_a_shard_reads_back_with_its_failures(store: ShardStore) -> None:
    written = members(range(5), failed=[2])
    store.write("sample", "00000", written)
    read = list(store.read("sample", "00000"))
    assert [found.candidate for found in read] == [given_member.candidate for given_member in written]
    assert [found.image for found in read] == [given_member.image for given_member in written]
    assert store.exists("sample", "00000") and not store.exists("sample", "00001")
    assert (store.datasets(), store.names("sample"), store.names("other")) == (["sample"], ["00000"], [])


def test_every_tar_program_reads_a_shard(store: ShardStore, tmp_path: Path) -> None:
    store.write("sample", "00000", members(range(3), failed=[1]))
    ids = [candidate(number).id for number in range(3)]
    with tarfile.open(tmp_path / "shards" / "sample" / "00000.tar") as archive:
        assert archive.getnames() == [
            f"{ids[0]}.json",
            f"{ids[0]}.webp",
            f"{ids[1]}.json",
            f"{ids[2]}.json",
            f"{ids[2]}.webp",
        ]
        assert {(found.mtime, found.uid, found.gid, found.mode) for found in archive} == {(0, 0, 0, 0o644)}
        assert archive.extractfile(f"{ids[0]}.webp").read() == b"image 0 "
    with tarfile.open(tmp_path / "thumbnails" / "sample" / "00000.tar") as archive:
        assert archive.getnames() == [f"{ids[0]}.webp", f"{ids[2]}.webp"]


def test_equal_members_give_equal_bytes(store: ShardStore, tmp_path: Path) -> None:
    digests = set()
    for shard in ("00000", "00001", "00000"):
        store.write("sample", shard, members(range(4), failed=[3]))
        digests.add(hashlib.sha256((tmp_path / "shards" / "sample" / f"{shard}.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_bytes_of_a_tar_are_the_same_on_every_machine() -> None:
    file = io.BytesIO()
    write_tar(file, [("0123.json", b"{}"), ("0123.webp", b"x" * 700)])
    assert (
        hashlib.sha256(file.getvalue()).hexdigest()
        == "7b3104997cceaf56b5e57a9f512c82c9bf577c3ae27942b47389d6624151b15a"
    )


@given(st.lists(st.binary(max_size=2000), max_size=8), st.integers(0, 2**32))
def test_a_tar_is_whole_or_damaged(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], cut: int) -> None:
    file = io.BytesIO()
    write_tar(file, ((f"{number}.bin", content) for number, content in enumerate(contents)))
    whole = file.getvalue()
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert [archive.extractfile(found).read() for found in archive] == contents
    path = tmp_path_factory.getbasetemp() / "whole-or-damaged.tar"
    path.write_bytes(whole)
    with path.open("rb") as opened:
        archive = TarFile(opened.fileno())
        assert [archive.read(found.offset, found.size) for found in archive.members()] == contents
    # All but the last block of the end mark is needed.
    path.write_bytes(whole[: cut % (len(whole) - 512)])
    with path.open("rb") as opened, pytest.raises(DamagedTar):
        list(TarFile(opened.fileno()).members())


@pytest.mark.parametrize("harm", ["cut", "header", "json", "empty", "no tar"])
def test_a_damaged_shard_is_named(store: ShardStore, tmp_path: Path, harm: str) -> None:
    store.write("sample", "00000", members(range(5)))
    path = tmp_path / "shards" / "sample" / "00000.tar"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:3000])
    elif harm == "header":
        flip_byte(path, 1024 + 20 + 512)
        flip_byte(path, 3)
    elif harm == "json":
        flip_byte(path, 512)
    else:
        path.write_bytes(b"" if harm == "empty" else b"x" * 5000)
    with pytest.raises(CorruptData, match=r"sample.00000\.tar"):
        list(store.read("sample", "00000"))


def test_an_unknown_shard_lists_the_known(store: ShardStore) -> None:
    store.write("sample", "00000", members(range(1)))
    with pytest.raises(UnknownName, match="00000"):
        list(store.read("sample", "7"))


def test_members_that_cannot_be_right_are_refused(store: ShardStore) -> None:
    made = candidate(1)
    with pytest.raises(DuplicateId):
        store.write("sample", "00000", [member(1), member(1)])
    with pytest.raises(BadSetting, match="dataset"):
        store.write("other", "00000", [member(1)])
    with pytest.raises(BadSetting, match="image"):
        store.write("sample", "00000", [ShardMember(made, None)])
    with pytest.raises(BadSetting, match="suffix"):
        store.write("sample", "00000", [ShardMember(made, b"x", "json")])
    assert store.names("sample") == []


def test_a_rewritten_shard_replaces_the_old_one(store: ShardStore) -> None:
    store.write("sample", "00000", members(range(3), failed=[1]))
    store.write("sample", "00000", members(range(3), content="second"))
    assert [found.image for found in store.read("sample", "00000")] == [
        b"image 0 second",
        b"image 1 second",
        b"image 2 second",
    ]


@pytest.mark.parametrize("facts", [b"[]", b"{}", b'{"id": "abc"}', b'{"id": "another"}', b"{", b"\xff"])
def test_a_candidate_without_its_facts_is_damage(store: ShardStore, tmp_path: Path, facts: bytes) -> None:
    store.write("sample", "00000", [])
    with (tmp_path / "shards" / "sample" / "00000.tar").open("wb") as file:
        write_tar(file, [("abc.json", facts), ("abc.webp", b"x")])
    with pytest.raises(CorruptData, match="00000"):
        list(store.read("sample", "00000"))
