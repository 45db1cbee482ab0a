from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_builders import (
    CLIP,
    CLIP_LARGE,
    SSIM,
    candidate,
    decoded,
    flip_byte,
    fresh_columns,
    members,
    register_rows,
    write_scores,
)

from synthvlm_ui.errors import BadSetting, CorruptData, DiskFull, UnknownName
from synthvlm_ui.store import CandidateColumns, Workspace


def test_columns_say_what_the_shards_say(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(4), failed=[2]))
        workspace.shards.write("other", "00000", members(range(2), "other"))
        write_scores(workspace, "00000", CLIP, 0.25)
        columns = workspace.columns
        sample = columns.ordinals_of([candidate(number).id for number in range(4)])
        assert columns.n == 6 and sorted(columns.datasets) == ["other", "sample"]
        assert columns.ok[sample].tolist() == [True, True, False, True]
        assert columns.seed[sample].tolist() == [0, 7, 14, 21] and columns.repeat[sample].tolist() == [0, 1, 0, 1]
        assert [columns.caption_id(code) for code in columns.caption_code[sample]] == [
            "caption-0",
            "caption-0",
            "caption-1",
            "caption-1",
        ]
        assert columns.caption_count == 3 and columns.caption_code.max() == 2
        assert columns.caption_code_of("other", "caption-0") != columns.caption_code_of("sample", "caption-0")
        np.testing.assert_array_equal(columns.score("clip_cosine")[sample], [0.25, 0.375, 0.5, 0.625])
        assert np.isnan(columns.score("clip_cosine")).sum() == 2
        assert (
            columns.image(sample[1]) == (b"image 1 ", "image/webp") and columns.thumbnail(sample[1]) == b"thumbnail 1 "
        )
        assert columns.candidate(sample[2]) == candidate(2, status="failed")
        assert columns.ids_of(sample) == [candidate(number).id for number in range(4)]
        with pytest.raises(UnknownName, match="generation failed"):
            columns.image(sample[2])
        assert columns.problems == []


def test_unknown_rows_and_names(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(2)))
        columns = workspace.columns
        for wrong in ("0" * 16, "", "ä", candidate(0).id + "0"):
            with pytest.raises(UnknownName, match=wrong or "''"):
                columns.ordinals_of([candidate(0).id, wrong])
        assert columns.ordinals_of([]).tolist() == []
        for ask in (columns.image, columns.thumbnail, columns.candidate, columns.scores_of, columns.reason):
            for row in (2, -1):
                with pytest.raises(BadSetting):
                    ask(row)
        with pytest.raises(UnknownName):
            columns.score("clip_cosine")
        with pytest.raises(UnknownName):
            columns.scorer_keys("clip")


def test_news_arrive_and_the_version_says_so(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace, Workspace.open(tmp_path) as elsewhere:
        columns = workspace.columns
        version = columns.version
        assert not columns.refresh() and columns.version == version
        for step in (
            lambda: elsewhere.shards.write("sample", "00000", members(range(3))),
            lambda: write_scores(elsewhere, "00000", CLIP),
            lambda: elsewhere.journal.append_verdict("ann", "keep", [1]),
            lambda: elsewhere.journal.undo("ann"),
            lambda: elsewhere.shards.write("sample", "00001", members(range(3, 5))),
        ):
            step() if columns.n else (step(), elsewhere.columns)
            assert columns.refresh() and columns.version > version
            version = columns.version
            assert not columns.refresh() and columns.version == version
        assert elsewhere.columns.refresh() and decoded(elsewhere.columns) == decoded(columns)


def test_in_a_large_workspace_news_arrive_without_looking_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthvlm_ui.store.memory import indexer

    with Workspace.open(tmp_path) as workspace:
        columns = workspace.columns
        monkeypatch.setattr(indexer, "FEW_SHARDS", 0)
        looks: list[str] = []
        find_shards = indexer.Indexer._find_shards
        monkeypatch.setattr(indexer.Indexer, "_find_shards", lambda self: (looks.append("look"), find_shards(self)))
        for number in range(3):
            workspace.shards.write("sample", f"{number:05d}", members(range(3 * number, 3 * number + 3), failed=[1]))
            write_scores(workspace, f"{number:05d}", CLIP)
            assert columns.refresh() and columns.n == 3 * number + 3
        workspace.shards.write("sample", "00000", members(range(3)))
        write_scores(workspace, "00001", SSIM)
        with (tmp_path / "news.log").open("ab") as log:
            log.write(b"shards/../../etc\nscores/sample/none\n\xff/\n/a/b\nnonsense/a/b\nshards/sam")
        assert columns.refresh() and columns.ok.all() and "ssim" in columns.score_columns()
        assert not columns.refresh() and looks == [] and columns.problems == []
        (tmp_path / "news.log").unlink()
        (tmp_path / "shards" / "sample" / "00002.tar").unlink()
        assert not columns.refresh()
        monkeypatch.setattr(indexer, "LOOK_EVERY_S", -1.0)
        assert columns.refresh() and looks == ["look"] and columns.ok.sum() == 6
        assert decoded(columns) == decoded(fresh_columns(workspace))


def test_a_settled_folder_is_not_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthvlm_ui.store.files import discovery

    monkeypatch.setattr(discovery, "SETTLED_AFTER_NS", -1)
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(3)))
        write_scores(workspace, "00000", CLIP)
        columns = workspace.columns
        listed: list[str] = []
        scandir = os.scandir
        monkeypatch.setattr(discovery.os, "scandir", lambda folder: (listed.append(str(folder)), scandir(folder))[1])
        columns.refresh()
        assert [folder for folder in listed if folder.endswith("sample")] == []
        write_scores(workspace, "00000", SSIM)
        assert columns.refresh() and "ssim" in columns.score_columns()
        workspace.shards.write("sample", "00001", members(range(3, 5)))
        assert columns.refresh() and columns.n == 5


def test_of_several_settings_one_speaks_for_a_scorer(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        for number in range(3):
            workspace.shards.write("sample", f"{number:05d}", members(range(4 * number, 4 * number + 4)))
            write_scores(workspace, f"{number:05d}", CLIP, 0.0)
        columns = workspace.columns
        write_scores(workspace, "00000", CLIP_LARGE, 5.0)
        write_scores(workspace, "00001", CLIP_LARGE, 5.0)
        columns.refresh()
        assert columns.active_key("clip") == CLIP.key and columns.scorer_keys("clip") == [CLIP.key, CLIP_LARGE.key]
        write_scores(workspace, "00002", CLIP_LARGE, 5.0)
        columns.refresh()
        assert columns.active_key("clip") == CLIP_LARGE.key, "of two that cover all, the newer"
        assert columns.score("clip_cosine").min() == 5
        version = columns.version
        columns.use_scorer("clip", CLIP.key)
        assert columns.score("clip_cosine").max() < 1 and columns.version > version
        assert columns.scorers() == [CLIP] and columns.score_columns() == ["clip_cosine", "truncated"]
        assert {scorer.key for scorer, _ in columns.scores_of(0)} == {CLIP.key, CLIP_LARGE.key}
        with pytest.raises(UnknownName):
            columns.use_scorer("clip", "clip-00000000")


def test_two_processes_that_find_different_shards_first_agree_on_ordinals(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as one, Workspace.open(tmp_path) as two:
        assert one.columns.n == two.columns.n == 0
        one.shards.write("sample", "00001", members(range(4)))
        one.columns.refresh()
        one.shards.write("sample", "00000", members(range(4, 8)))
        two.columns.refresh()
        one.shards.write("another", "00000", members(range(3), "another"))
        one.columns.refresh()
        two.columns.refresh()
        assert one.columns.candidate_id.tolist() == two.columns.candidate_id.tolist()
        assert one.columns.ordinals_of([candidate(0).id]) == [0]


shard_names = st.sampled_from(["a", "b", "c"])
some_scorers = st.sampled_from([CLIP, CLIP_LARGE, SSIM])
steps = st.one_of(
    st.tuples(
        st.just("shard"),
        shard_names,
        st.sets(st.integers(0, 9), min_size=1, max_size=6),
        st.sets(st.integers(0, 9)),
        st.sampled_from(["", "second"]),
    ),
    st.tuples(st.just("scores"), shard_names, some_scorers, st.integers(0, 5)),
    st.tuples(st.just("lose"), shard_names),
    st.tuples(st.just("break"), shard_names),
    st.tuples(st.just("lose scores"), shard_names),
    st.tuples(st.just("verdict"), st.sampled_from(["keep", "reject"])),
    st.tuples(st.just("undo")),
    st.tuples(st.just("look")),
    st.tuples(st.just("reopen")),
)


def take_step(workspace: Workspace, columns: CandidateColumns, step: tuple) -> CandidateColumns:
    match step:
        case ("shard", name, numbers, failed, content):
            workspace.shards.write("sample", name, members(sorted(numbers), failed=sorted(failed), content=content))
        case ("scores", name, scorer, base):
            try:
                write_scores(workspace, name, scorer, base)
            except (UnknownName, CorruptData):
                pass
        case ("lose", name):
            workspace.paths.shard("sample", name).unlink(missing_ok=True)
        case ("break", name):
            path = workspace.paths.shard("sample", name)
            if path.exists():
                broken = path.with_suffix(".tmp")
                broken.write_bytes(path.read_bytes()[:700])
                broken.replace(path)
        case ("lose scores", name):
            for path in workspace.paths.score_folder("sample", name).glob("*.parquet"):
                path.unlink()
            # As a file manager would: the folder above shows no change when a file below it goes.
            os.utime(workspace.paths.scores / "sample") if (workspace.paths.scores / "sample").is_dir() else None
        case ("verdict", verdict):
            columns.refresh()
            if columns.n:
                workspace.journal.append_verdict("ann", verdict, np.arange(0, columns.n, 2))
        case ("undo",):
            workspace.journal.undo("ann")
        case ("look",):
            columns.refresh()
        case ("reopen",):
            columns.save_snapshot()
            return CandidateColumns(workspace.paths, workspace.journal)
    return columns


@settings(max_examples=40)
@given(st.lists(steps, min_size=2, max_size=14))
def test_what_grew_equals_what_is_rebuilt(tmp_path_factory: pytest.TempPathFactory, script: list[tuple]) -> None:
    with Workspace.open(tmp_path_factory.mktemp("grown")) as workspace:
        columns = workspace.columns
        for step in script:
            columns = take_step(workspace, columns, step)
        columns.refresh()
        rebuilt = fresh_columns(workspace)
        assert decoded(columns) == decoded(rebuilt)
        assert {problem.where for problem in rebuilt.problems} <= {problem.where for problem in columns.problems}
        for ordinal in np.flatnonzero(columns.ok).tolist():
            assert columns.image(ordinal) == rebuilt.image(ordinal)
            assert columns.candidate(ordinal).id == columns.ids_of(np.array([ordinal]))[0]


def test_opening_from_the_snapshot_reads_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(6)))
        write_scores(workspace, "00000", CLIP)
        workspace.columns.refresh()
        workspace.journal.append_verdict("ann", "keep", [1])
        workspace.columns.refresh()
        workspace.columns.save_snapshot()
        expected = decoded(workspace.columns)
    with Workspace.open(tmp_path) as workspace:
        monkeypatch.setattr(type(workspace.shards), "contents", None)
        monkeypatch.setattr(type(workspace.scores), "read", None)
        assert decoded(workspace.columns) == expected
        assert not workspace.columns.refresh()


@pytest.mark.parametrize(
    "harm",
    ["manifest gone", "manifest cut", "array gone", "array flipped", "array cut", "other journal", "folder gone"],
)
def test_a_snapshot_that_cannot_be_believed_is_made_anew(tmp_path: Path, harm: str) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(6)))
        write_scores(workspace, "00000", CLIP)
        workspace.columns.save_snapshot()
        expected = decoded(workspace.columns)
    manifest = tmp_path / "snapshot" / "manifest.json"
    arrays = sorted((tmp_path / "snapshot").glob("*/*.npy"))
    for path in [manifest] if harm.startswith("manifest") else arrays:
        if harm.endswith("gone"):
            path.unlink()
        elif harm.endswith("cut"):
            path.write_bytes(path.read_bytes()[:-1])
        elif harm.endswith("flipped"):
            flip_byte(path, -1)
    if harm == "folder gone":
        arrays[0].parent.rmdir()
    if harm == "other journal":
        for path in tmp_path.glob("journal.sqlite*"):
            path.unlink()
    with Workspace.open(tmp_path) as workspace:
        assert decoded(workspace.columns) == expected
        assert workspace.columns.problems == []


def test_a_missing_shard_darkens_its_rows_alone_and_its_verdicts_stay(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(3)))
        workspace.shards.write("sample", "00001", members(range(3, 6)))
        columns = workspace.columns
        workspace.journal.append_verdict("ann", "keep", range(6))
        path = workspace.paths.shard("sample", "00000")
        content = path.read_bytes()
        path.unlink()
        columns.refresh()
        for seen in (columns, fresh_columns(workspace)):
            assert seen.ok.tolist() == [False] * 3 + [True] * 3 and seen.verdict.tolist() == [1] * 6
            assert seen.reason(0) == "its shard is missing"
            with pytest.raises(CorruptData, match="missing"):
                seen.image(0)
            assert seen.image(4)[0] == b"image 4 "
            assert seen.ordinals_of([candidate(0).id]).tolist() == [0]
        assert [problem.where for problem in columns.problems] == ["shards/sample/00000"]
        path.write_bytes(content)
        columns.refresh()
        assert columns.ok.all() and columns.problems == [] and columns.image(0)[0] == b"image 0 "


def test_damage_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        for number in range(3):
            workspace.shards.write("sample", f"{number:05d}", members(range(3 * number, 3 * number + 3)))
            write_scores(workspace, f"{number:05d}", CLIP, number)
        workspace.paths.shard("sample", "00000").write_bytes(b"no tar")
        (workspace.paths.score_folder("sample", "00001") / f"{CLIP.key}.parquet").write_bytes(b"no parquet")
        workspace.paths.thumbnail_shard("sample", "00002").write_bytes(b"no tar")
        columns = workspace.columns
        assert [problem.where for problem in columns.problems] == [
            f"scores/sample/00001/{CLIP.key}",
            "shards/sample/00000",
            "thumbnails/sample/00002",
        ]
        assert columns.n == 6 and columns.ok.all()
        assert np.isnan(columns.score("clip_cosine")).sum() == 3
        last = columns.ordinals_of([candidate(8).id])[0]
        assert columns.image(last)[0] == b"image 8 "
        with pytest.raises(CorruptData, match="thumbnail"):
            columns.thumbnail(last)
        assert not columns.refresh()
        for number in range(3):
            workspace.shards.write("sample", f"{number:05d}", members(range(3 * number, 3 * number + 3)))
        write_scores(workspace, "00001", CLIP, 1)
        columns.refresh()
        assert columns.problems == [] and columns.n == 9 and columns.thumbnail(last) == b"thumbnail 8 "


def test_a_shard_rewritten_behind_the_columns_is_read_right(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(3)))
        columns = workspace.columns
        workspace.shards.write("sample", "00000", members(range(3), content="of another length"))
        assert columns.image(2)[0] == b"image 2 of another length"
        assert columns.thumbnail(2) == b"thumbnail 2 of another length"
        thumbnails = workspace.paths.thumbnail_shard("sample", "00000")
        content = thumbnails.read_bytes()
        thumbnails.unlink()
        with pytest.raises(CorruptData, match="no thumbnail"):
            columns.thumbnail(2)
        thumbnails.write_bytes(content)
        assert columns.thumbnail(2) == b"thumbnail 2 of another length"
        workspace.paths.shard("sample", "00000").unlink()
        with pytest.raises(CorruptData, match="missing"):
            columns.image(2)


def test_a_full_disk_keeps_what_is_known_on_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(3)))
        columns = workspace.columns
        workspace.shards.write("sample", "00001", members(range(3, 6)))

        def full(*_: object) -> None:
            raise DiskFull("no room left for the journal")

        with monkeypatch.context() as patched:
            patched.setattr(type(workspace.journal.registry), "register", full)
            patched.setattr(type(columns._index), "save", full)
            assert columns.refresh() and columns.n == 3 and columns.ok.all()
            assert [problem.where for problem in columns.problems] == ["journal"]
            columns.rebuild()
            assert columns.n == 3
        columns.refresh()
        assert columns.n == 6 and columns.problems == []


def test_a_retried_failure_keeps_its_ordinal_and_verdict(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        workspace.shards.write("sample", "00000", members(range(3), failed=[1]))
        columns = workspace.columns
        workspace.journal.append_verdict("ann", "reject", [1])
        workspace.shards.write("sample", "00000", members(range(3)))
        columns.refresh()
        assert columns.n == 3 and columns.ok.all() and columns.verdict.tolist() == [0, -1, 0]


def test_many_captions_keep_their_codes_apart(tmp_path: Path) -> None:
    from synthvlm_ui.store.memory.catalogue import CaptionCodes

    codes = CaptionCodes()
    names = [f"caption {number} ä" for number in range(30_000)]
    for start in range(0, len(names), 700):
        assert codes.codes("sample", names[start : start + 700]).tolist() == list(
            range(start, min(start + 700, len(names)))
        )
    again = CaptionCodes(codes.arrays())
    assert again.codes("sample", [names[29_999], "new", names[0], "new"]).tolist() == [29_999, 30_000, 0, 30_000]
    assert again.caption_id(0) == names[0] and again.caption_id(30_000) == "new" and again.find("other", names[0]) == -1


def test_bulk_acts_on_rows_without_shards_are_kept(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        register_rows(workspace, 1000)
        workspace.journal.append_verdict("ann", "keep", range(1000))
        assert workspace.columns.verdict.tolist() == [1] * 1000 and not workspace.columns.ok.any()
