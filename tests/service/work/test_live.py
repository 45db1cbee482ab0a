"""What is shown of a running chunk: in order, once each, gone when the chunk is a shard."""

from __future__ import annotations

from pathlib import Path

from synthvlm_ui.service.work.live import LiveWriter, read_live, read_live_image
from tests.generation.test_plan import make_plan

CANDIDATES = list(make_plan(["a", "<img src=x>", "c"], 1, 3).candidates(0))


def test_rows_come_once_and_in_order(tmp_path: Path) -> None:
    writer = LiveWriter(tmp_path)
    writer.begin_chunk(0)
    for candidate in CANDIDATES[:2]:
        writer.show(candidate, b"pixels", "webp", {"clip_cosine": 0.25, "ssim": float("nan")})
    first = read_live(tmp_path, 0)
    assert [row["candidate_id"] for row in first] == [c.id for c in CANDIDATES[:2]]
    assert (first[0]["clip_cosine"], first[0]["ssim"]) == (0.25, None)
    writer.show(CANDIDATES[2], None, "webp", {})
    assert [row["candidate_id"] for row in read_live(tmp_path, first[-1]["seq"])] == [CANDIDATES[2].id]


def test_pictures_are_there_until_the_chunk_ends(tmp_path: Path) -> None:
    writer = LiveWriter(tmp_path)
    writer.begin_chunk(0)
    writer.show(CANDIDATES[0], b"pixels", "png", {})
    assert read_live_image(tmp_path, CANDIDATES[0].id) == (b"pixels", "image/png")
    writer.end_chunk()
    assert read_live_image(tmp_path, CANDIDATES[0].id) is None
    assert len(read_live(tmp_path, 0)) == 1


def test_a_chunk_made_again_replaces_its_rows_and_numbers_go_on(tmp_path: Path) -> None:
    killed = LiveWriter(tmp_path)
    killed.begin_chunk(0)
    killed.show(CANDIDATES[0], b"x", "webp", {})
    again = LiveWriter(tmp_path)
    again.begin_chunk(0)
    again.show(CANDIDATES[0], b"x", "webp", {})
    assert [row["seq"] for row in read_live(tmp_path, 0)] == [2]


def test_a_half_written_line_is_left_for_next_time(tmp_path: Path) -> None:
    (tmp_path / "chunk-000000.jsonl").write_text('{"seq": 1}\n{"seq"', encoding="utf-8")
    assert read_live(tmp_path, 0) == [{"seq": 1}]


def test_only_plain_ids_reach_the_disk(tmp_path: Path) -> None:
    (tmp_path / "secret.webp").write_bytes(b"x")
    assert read_live_image(tmp_path / "live", "../secret") is None
