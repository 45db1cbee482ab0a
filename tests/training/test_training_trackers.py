"""Optional trackers write to this machine what they are told; those that are not installed are named."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest

from synthvlm_ui.errors import ModelUnavailable, UnknownName
from synthvlm_ui.training import open_tracker, require_tracker, trackers


def logged(name: str, out: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tracker = open_tracker(name, out, "run-1", {"recipe": "synth2-vq", "steps": 2})
        for step in (1, 2):
            tracker.log(step, {"loss": 1.0 / step})
        tracker.close()
    return out / "run" / name


def test_tensorboard_reads_the_losses_back(tmp_path: Path) -> None:
    folder = logged("tensorboard", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reading = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
        events = reading.EventAccumulator(str(folder / "run-1")).Reload()
    assert [(each.step, each.value) for each in events.Scalars("loss")] == [(1, 1.0), (2, 0.5)]


def test_trackio_keeps_the_run_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("trackio") is None:
        pytest.skip("needs trackio, which would change the event loop of every server that is tested: it brings uvloop")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "kept"))  # read when it is imported
    logged("trackio", tmp_path / "model")
    assert [path.stem for path in (tmp_path / "kept").glob("*.db")] == ["synthvlm-ui"]


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="tensorboard"):
        require_tracker("nothing")
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match="pip install trackio"):
        require_tracker("trackio")
