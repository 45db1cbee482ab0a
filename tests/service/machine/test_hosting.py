"""What a Space says of itself, and what follows for the disk and for training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.errors import BadSetting, UserError
from synthvlm_ui.export.staging import MADE_BY
from synthvlm_ui.service import Studio
from synthvlm_ui.service.machine import hosting
from synthvlm_ui.service.training.training_desk import TrainingSettings


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
    monkeypatch.setattr("synthvlm_ui.service.machine.hosting.os.path.ismount", lambda path: True)
    assert hosting.kept_place(tmp_path) == tmp_path / "synthvlm"
    assert hosting.notice(tmp_path / "synthvlm", bucket=tmp_path) == ""
    assert hosting.notice(Path("/somewhere/else"), bucket=tmp_path) != ""


def test_logins_with_the_hub_need_all_that_a_space_sets(space: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL"):
        assert not hosting.offers_login()
        monkeypatch.setenv(name, "something")
    assert hosting.offers_login()
    monkeypatch.delenv("SPACE_ID")
    assert not hosting.offers_login()


SCRIPT = """
from synthvlm_ui.service.machine import hosting
hosting.keep_own_login()
from huggingface_hub import HfApi
from huggingface_hub.utils import build_hf_headers
print("authorization" in build_hf_headers(), build_hf_headers(token="hf_named")["authorization"])
"""


@pytest.mark.parametrize(("place", "sent"), [({"SPACE_ID": "someone/synthvlm"}, "False"), ({"SPACE_ID": ""}, "True")])
def test_a_space_s_own_token_goes_with_no_request_of_a_stranger(tmp_path: Path, place: dict[str, str],
                                                                sent: str) -> None:
    """At home the login of the machine is used as ever; in a Space a private data set of its owner stays private."""
    environment = {**os.environ, "HF_TOKEN": "hf_owner", "HF_HOME": str(tmp_path), **place}
    environment.pop("HF_HUB_DISABLE_IMPLICIT_TOKEN", None)
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=REPOSITORY, env=environment, capture_output=True,
                          text=True, check=True, timeout=120)
    assert done.stdout.split() == [sent, "Bearer", "hf_named"]


def test_a_stranger_is_never_lent_the_login_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_owner")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(json.dumps({"made_by": MADE_BY, "files": {}}), encoding="utf-8")
    studio = Studio.open(tmp_path / "workspace")
    asked: list[object] = []
    monkeypatch.setattr("synthvlm_ui.service.export.export_desk.push", lambda planned, token: asked.append(token))
    try:
        for token in (None, ""):
            with pytest.raises(UserError, match="lent to nobody"):
                studio.exports.push(tmp_path / "out", "vera/toys", token=token, stranger=True)
        assert asked == []
        studio.exports.push(tmp_path / "out", "vera/toys", token="hf_vera", stranger=True)
        assert asked == ["hf_vera"]
    finally:
        studio.close()


def test_a_space_says_what_it_computes_with(space: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CPU_CORES", "2")
    assert hosting.hardware() == "processor with 2 cores"
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert "ZeroGPU" in hosting.hardware()
    monkeypatch.delenv("SPACE_ID")
    assert hosting.hardware() == ""


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
