"""A killed export goes on: what it had converted is not converted again, and it ends as an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from test_export_writing import FORMATS, item, picture

from synthvlm_ui.export import ExportOptions, export, exporting
from synthvlm_ui.export.converted import ConvertedPictures
from synthvlm_ui.export.pictures import Picture
from synthvlm_ui.jobs import end_worker
from synthvlm_ui.service import Studio
from synthvlm_ui.service.export.export_desk import ExportRequest

PAIRS = [item(number, image=picture(number)) for number in range(40)]


class Killed(Exception):
    pass


def killed_at(count: int) -> Any:
    def watch(seen: int) -> None:
        if seen > count:
            raise Killed

    return watch


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_converted_is_taken_up_again(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[str] = []
    real = exporting.picture_of

    def counting(one: Any, options: ExportOptions) -> Picture:
        converted.append(one.candidate.id)
        return real(one, options)

    monkeypatch.setattr(exporting, "picture_of", counting)
    settings = {"image_format": "jpeg", "size_px": 16}
    quiet = export(form, PAIRS, tmp_path / "quiet", options=ExportOptions(**settings))
    options = ExportOptions(**settings, converted=tmp_path / "job" / "converted")
    with pytest.raises(Killed):
        export(form, PAIRS, tmp_path / "out", options=options, watch=killed_at(36))
    converted.clear()
    done = export(form, PAIRS, tmp_path / "out", options=options)
    assert done.manifest_sha256 == quiet.manifest_sha256 and done.written == 40
    assert 0 < len(converted) < 40 and not (tmp_path / "job" / "converted").exists()


def test_a_record_cut_by_a_kill_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "converted"
    with ConvertedPictures(path) as pictures:
        for number in range(3):
            pictures.put(f"id{number}", Picture(picture(number), "webp", 24, 24))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with ConvertedPictures(path) as pictures:
        assert len(pictures) == 2 and "id2" not in pictures and pictures.get("id2") is None
        assert pictures.get("id1") == Picture(picture(1), "webp", 24, 24)
        pictures.put("id2", Picture(picture(2), "webp", 24, 24))
    assert path.read_bytes() == whole
    path.write_bytes(b"\0" * 7 + whole)
    with ConvertedPictures(path) as pictures:
        assert len(pictures) == 0


@pytest.mark.slow
def test_a_killed_job_ends_with_the_hash_of_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.ui.small_workspace import fill

    monkeypatch.setenv("SYNTHVLM_WORKER_IDLE_S", "3")
    studio = Studio.open(tmp_path / "workspace")
    fill(studio, "toys", [f"a red cat and {number} stars" for number in range(60)], 2)
    studio.curation.select("all", studio.curation.rule(dataset="toys", guards=False))
    request = ExportRequest("all", "webdataset", str(tmp_path / "out"),
                            options={"image_format": "png", "size_px": 400})
    quiet = studio.exports.run(ExportRequest("all", "webdataset", str(tmp_path / "quiet"), options=request.options))
    job = studio.exports.start(request)
    kept = studio.workspace.paths.jobs / job / "converted"
    for attempt in range(2):
        before = kept.stat().st_size if kept.exists() else 0
        wait_until(lambda least=before: kept.exists() and kept.stat().st_size > least + 8_000_000)
        pid = json.loads((kept.parent / "pid.json").read_text())["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: studio.jobs.show(job)["state"] == "crashed")
        assert not (tmp_path / "out").exists(), attempt
        assert kept.stat().st_size > before
        studio.jobs.resume(job)
    done = studio.jobs.follow(job, lambda now: None)
    assert done["result"]["manifest_sha256"] == quiet["manifest_sha256"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))) == ["out"]
    end_worker(studio.workspace.paths.jobs, "disk")
    studio.close()


def wait_until(fact: Any, limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)
