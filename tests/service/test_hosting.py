"""What a Space says of itself, and what follows for the disk and for training."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.service import Studio, hosting
from synthvlm_ui.service.training_desk import TrainingSettings


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/synthvlm")


def test_at_home_there_is_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert hosting.notice(tmp_path) == "" and hosting.kept_place(tmp_path) is None and not hosting.on_zero_gpu()


def test_a_space_without_a_bucket_says_that_its_disk_forgets(space: None, tmp_path: Path) -> None:
    assert "forgets" in hosting.notice(tmp_path / "ws", bucket=tmp_path)
    assert hosting.kept_place(tmp_path) is None, "a folder is no mount"


def test_a_mounted_bucket_keeps_the_workspace(space: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthvlm_ui.service.hosting.os.path.ismount", lambda path: True)
    assert hosting.kept_place(tmp_path) == tmp_path / "synthvlm"
    assert hosting.notice(tmp_path / "synthvlm", bucket=tmp_path) == ""
    assert hosting.notice(Path("/somewhere/else"), bucket=tmp_path) != ""


def test_nothing_trains_on_a_borrowed_card(space: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    studio = Studio.open(tmp_path / "workspace")
    try:
        settings = TrainingSettings("synth2-vq", str(tmp_path / "out"), selections=("best",))
        with pytest.raises(BadSetting, match="hf jobs run.*train --recipe synth2-vq"):
            studio.training.start(settings)
        assert studio.jobs.list()["jobs"] == []
    finally:
        studio.close()
