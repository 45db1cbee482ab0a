"""The page as a whole: what its process loads, its options, and the handlers of its forms."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from synthvlm_ui.config import REPOSITORY
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.service import Studio
from synthvlm_ui.ui.options import settings_from

HEAVY = ("torch", "diffusers", "transformers", "open_clip", "plotly", "sklearn", "matplotlib")


def test_building_the_page_loads_no_engine(tmp_path: Path) -> None:
    script = f"""
import json, sys
from synthvlm_ui.service import Studio
from synthvlm_ui.ui.app import build_app
from synthvlm_ui.ui.options import settings_from
settings = settings_from(["--workspace", {str(tmp_path / "w")!r}])
page, launch = build_app(Studio.open(settings.workspace), settings)
public = [fn.api_name for fn in page.fns.values() if fn.api_visibility == "public"]
print(json.dumps([[name for name in {HEAVY!r} if name in sys.modules], public, launch["server_name"]]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=REPOSITORY, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded, public, host = json.loads(done.stdout.strip().splitlines()[-1])
    assert loaded == []
    assert public == []
    assert host == "127.0.0.1"


def test_the_door_loads_neither_gradio_nor_numpy() -> None:
    script = "import sys, synthvlm_ui.ui; print('gradio' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_app_py_is_short() -> None:
    assert len((REPOSITORY / "app.py").read_text(encoding="utf-8").splitlines()) <= 20


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNTHVLM_HOST", "localhost")
    monkeypatch.setenv("SYNTHVLM_ALLOWED_HOST", "one.example, two.example")
    monkeypatch.setenv("SYNTHVLM_READ_ONLY", "1")
    settings = settings_from(["--workspace", str(tmp_path)])
    assert (settings.host, settings.allowed_hosts, settings.read_only) == (
        "localhost", ("one.example", "two.example"), True)
    assert settings_from(["--allowed-host", "three.example", "--host", "127.0.0.1"]).allowed_hosts == ("three.example",)


def test_the_announced_port_is_taken_and_a_given_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    free = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free.append(probe.getsockname()[1])
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(free[0]))
    assert settings_from([]).port == free[0]
    assert settings_from(["--port", str(free[1])]).port == free[1]


def test_a_port_in_use_is_said_and_the_default_moves_on() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadSetting, match="in use"):
            settings_from(["--port", str(taken.getsockname()[1])])
    assert 7860 <= settings_from([]).port < 7960


def test_only_a_hosting_service_moves_the_default_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert settings_from([]).host == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/some-space")
    monkeypatch.setenv("SPACE_HOST", "someone-some-space.hf.space")
    settings = settings_from([])
    assert (settings.host, settings.allowed_hosts) == ("0.0.0.0", ("someone-some-space.hf.space",))


def test_in_a_space_the_app_needs_no_option_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its front end looks at one port: another free one would leave the Space dark."""
    monkeypatch.setenv("SPACE_ID", "someone/some-space")
    monkeypatch.setenv("SPACE_HOST", "synth.example.org,someone-some-space.hf.space")
    monkeypatch.setattr("synthvlm_ui.ui.options._is_free", lambda host, port: port != 7861)
    settings = settings_from([])
    assert (settings.host, settings.port) == ("0.0.0.0", 7860)
    assert settings.allowed_hosts == ("synth.example.org", "someone-some-space.hf.space")
    monkeypatch.setattr("synthvlm_ui.ui.options._is_free", lambda host, port: port != 7860)
    with pytest.raises(BadSetting, match="7860 is in use"):
        settings_from([])


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(BadSetting):
        settings_from(["--port", port])


def test_a_workspace_that_is_a_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = subprocess.run([sys.executable, "app.py", "--workspace", str(tmp_path / "file")], cwd=REPOSITORY,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith("error: ")


class TestForms:
    """The handlers behind the two forms, called as gradio calls them."""

    @pytest.fixture
    def api(self, studio: Studio):
        from synthvlm_ui.ui.routes.api import Api

        return Api(studio, read_only=False)

    def test_a_file_is_imported_and_its_bad_rows_are_named(self, api, tmp_path: Path) -> None:
        from synthvlm_ui.ui.tabs.captions_tab import _import_file

        path = tmp_path / "captions.csv"
        path.write_text("caption,id\na red cat,1\n,2\n" + "x" * 5000 + ",3\n", encoding="utf-8")
        found = _import_file(api, "mine", str(path), "skip", "", "", "")
        assert found["imported"] == 1 and found["rejected"] == 2
        assert [row["line"] for row in found["rejected_rows"]] == [3, 4]

    def test_errors_become_one_line_and_a_toast(self, api) -> None:
        from synthvlm_ui.ui.tabs.captions_tab import _import_file, _import_lines
        from synthvlm_ui.ui.tabs.reports import told

        for call in (lambda: _import_file(api, "mine", None, "skip"), lambda: _import_lines(api, "mine", " \n"),
                     lambda: _import_lines(api, " ", "a red cat"), lambda: _import_lines(api, "../up", "a red cat")):
            with pytest.warns(UserWarning):  # how gradio says a toast where there is no browser
                result = json.loads(told(call))
            assert result["error"].endswith(".") and "Traceback" not in result["error"]
        assert api.studio.captions.datasets() == []

    def test_an_uploaded_file_is_called_by_its_own_name(self, api, tmp_path: Path) -> None:
        from synthvlm_ui.errors import UserError
        from synthvlm_ui.ui.tabs.captions_tab import _import_file

        path = tmp_path / "broken.parquet"
        path.write_bytes(b"not a parquet file")
        with pytest.raises(UserError) as raised:
            _import_file(api, "mine", str(path), "skip", "", "", "")
        assert "broken.parquet" in str(raised.value) and str(tmp_path) not in str(raised.value)

    def test_an_export_goes_into_the_workspace_and_validates(self, api, candidates) -> None:
        from synthvlm_ui.jobs import end_worker
        from synthvlm_ui.ui.tabs.export_tab import _export, _validate

        api.studio.curation.select("best", api.studio.curation.rule(dataset="small", top_k=4))
        try:
            done = _export(api, ("best", "llava", "", True, False))
        finally:
            end_worker(api.studio.workspace.paths.jobs, "disk")
        assert done["written"] == 4 and len(done["manifest_sha256"]) == 64
        assert Path(done["out"]).is_relative_to(api.studio.workspace.root)
        assert _validate(api, ("best", "llava", "", False, False))["ok"]

    def test_an_export_without_selection_or_to_a_relative_path_is_refused(self, api, candidates) -> None:
        from synthvlm_ui.errors import UserError
        from synthvlm_ui.ui.tabs.export_tab import _export

        for selection, out in ((None, ""), ("best", "relative/path")):
            with pytest.raises(UserError):
                _export(api, (selection, "llava", out, False, False))
