"""A server with accounts: who is not logged in gets nothing, who is cannot pretend to be somebody else."""

from __future__ import annotations

import asyncio
import hashlib
import io
import stat
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from small_workspace import CAPTIONS, fill
from starlette.responses import PlainTextResponse

from synthvlm_ui.cli import main
from synthvlm_ui.errors import BadSetting, EmptyInput, UnreadableFile
from synthvlm_ui.service import Accounts, Studio, add_account
from synthvlm_ui.ui.access.login import FREE_TRIES, Patience, RequireLogin, Sessions

PASSWORDS = {"asa": "correct horse", "bo": "battery staple"}


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("accounts") / "users"
    for name, password in PASSWORDS.items():
        add_account(path, name, password)
    return path


class TestAccounts:
    def test_a_password_fits_its_name_alone(self, accounts: Path) -> None:
        known = Accounts(accounts)
        assert known.names() == ["asa", "bo"]
        assert known.verify("asa", PASSWORDS["asa"])
        assert not known.verify("asa", PASSWORDS["bo"])
        assert not known.verify("nobody", PASSWORDS["asa"])

    def test_the_file_holds_no_password_and_is_nobody_elses(self, accounts: Path) -> None:
        text = accounts.read_text(encoding="utf-8")
        assert not any(password in text for password in PASSWORDS.values())
        assert stat.S_IMODE(accounts.stat().st_mode) == 0o600

    def test_a_new_password_replaces_the_old_one_and_a_removed_account_is_out_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "users"
        assert not add_account(path, "asa", "first password")
        add_account(path, "bo", "another one")
        known = Accounts(path)
        assert add_account(path, "asa", "second password")
        assert known.verify("asa", "second password") and not known.verify("asa", "first password")
        path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("asa")))
        assert known.names() == ["bo"] and not known.verify("asa", "second password")

    @pytest.mark.parametrize(("name", "password"), [("a:b", "long enough"), ("", "long enough"), ("asa", "short"),
                                                    ("../x", "long enough"), ("a" * 41, "long enough")])
    def test_names_and_passwords_that_are_none(self, tmp_path: Path, name: str, password: str) -> None:
        with pytest.raises(BadSetting):
            add_account(tmp_path / "users", name, password)
        assert not (tmp_path / "users").exists()

    @pytest.mark.parametrize("content", ["asa:plain text", "asa:scrypt:x:8:1:00:00",
                                         "asa:scrypt:1073741824:8:1:00:" + "0" * 64])
    def test_a_broken_line_is_named(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "users").write_text("# ours\n" + content)
        with pytest.raises(UnreadableFile, match="line 2"):
            Accounts(tmp_path / "users")

    def test_no_file_and_no_account(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile, match="users add"):
            Accounts(tmp_path / "users")
        (tmp_path / "users").write_text("# nobody\n")
        with pytest.raises(EmptyInput, match="users add"):
            Accounts(tmp_path / "users")

    def test_the_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("a good password\n"))
        assert main(["users", "add", "asa", "--file", str(tmp_path / "users")]) == 0
        assert Accounts(tmp_path / "users").verify("asa", "a good password")


class TestSessions:
    def test_only_our_own_cookies_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, others = Sessions(b"k" * 32), Sessions(b"o" * 32)
        cookie = ours.cookie("asa")
        assert ours.name_in(cookie) == "asa"
        assert others.name_in(cookie) is None
        said, _, signature = cookie.partition(".")
        forged = Sessions(b"k" * 32).cookie("bo").partition(".")[0]
        for wrong in ("", ".", said, f"{forged}.{signature}", f"{said}.{signature[::-1]}", f"{said}.\xff"):
            assert ours.name_in(wrong) is None
        monkeypatch.setattr("synthvlm_ui.ui.access.login.time.time", lambda: 1e12)
        assert ours.name_in(cookie) is None, "it is too old"

    def test_the_key_stays_with_the_workspace_and_is_nobody_elses(self, tmp_path: Path) -> None:
        cookie = Sessions.of_workspace(tmp_path, False).cookie("asa")
        assert Sessions.of_workspace(tmp_path, False).name_in(cookie) == "asa"
        assert stat.S_IMODE((tmp_path / ".session-key").stat().st_mode) == 0o600

    def test_wrong_passwords_cost_growing_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [1000.0]
        monkeypatch.setattr("synthvlm_ui.ui.access.login.time.monotonic", lambda: now[0])
        patience, waits = Patience(), []
        for _ in range(FREE_TRIES + 12):
            waits.append(patience.enter("name asa", "address 1"))
            now[0] += waits[-1]
            if waits[-1]:
                assert patience.enter("name asa", "address 1") == 0.0
        assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES
        assert all(later >= earlier for earlier, later in zip(waits[FREE_TRIES:], waits[FREE_TRIES + 1:], strict=False))
        assert waits[-1] == 900
        assert patience.enter("name asa", "address 2") > 0 and patience.enter("name bo", "address 1") > 0
        assert patience.enter("name bo", "address 2") == 0.0
        patience.forgive("name asa", "address 1")
        assert patience.enter("name asa", "address 1") == 0.0


class TestTheDoor:
    """The guard alone, in front of an app that lets everybody see everything."""

    @staticmethod
    def asked(folder: Path, ask: Callable[[httpx.AsyncClient], Awaitable[list[httpx.Response]]],
              hosted: bool = False) -> list[httpx.Response]:
        salt = b"salt" * 4  # of little work, so that many tries cost this test nothing
        digest = hashlib.scrypt(PASSWORDS["asa"].encode(), salt=salt, n=16, r=8, p=1, dklen=32)
        (folder / "users").write_text(f"asa:scrypt:16:8:1:{salt.hex()}:{digest.hex()}\n")
        door = RequireLogin(PlainTextResponse("inside"), Accounts(folder / "users"), Sessions(b"k" * 32), hosted)

        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=door)
            async with httpx.AsyncClient(transport=transport, base_url="https://synth.lab.org") as client:
                return await ask(client)

        with ThreadPoolExecutor(1) as thread:  # a browser test may have left a loop running in this one
            return thread.submit(asyncio.run, run()).result()

    def test_a_path_that_ends_like_an_open_one_is_not_open(self, tmp_path: Path) -> None:
        ends = ("/gradio_api/startup-events", "/gradio_api/synthvlm/login", "/gradio_api/synthvlm/logout")

        async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
            return [await client.request(method, "/gradio_api/file=x" + end) for end in ends
                    for method in ("GET", "POST")]

        assert [answer.status_code for answer in self.asked(tmp_path, ask)] == [401] * 6

    def test_guesses_sent_at_the_same_moment_do_not_all_pass(self, tmp_path: Path) -> None:
        async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
            return await asyncio.gather(*(client.post(
                "/gradio_api/synthvlm/login", data={"name": "asa", "password": f"guess {number}"})
                for number in range(60)))

        codes = [answer.status_code for answer in self.asked(tmp_path, ask)]
        assert codes.count(401) == FREE_TRIES and codes.count(429) == 60 - FREE_TRIES

    @pytest.mark.parametrize(("hosted", "said"), [(True, "samesite=none"), (False, "samesite=lax")])
    def test_a_login_inside_the_hubs_frame_is_kept(self, tmp_path: Path, hosted: bool, said: str) -> None:
        async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
            return [await client.post("/gradio_api/synthvlm/login", data={"name": "asa", "password": PASSWORDS["asa"]})]

        (inside,) = self.asked(tmp_path, ask, hosted)
        cookie = inside.headers["set-cookie"].lower()
        assert inside.status_code == 303 and said in cookie and "secure" in cookie and "httponly" in cookie


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, accounts: Path) -> Iterator[Any]:
    pytest.importorskip("playwright")
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
    from served_app import ServedApp

    workspace = tmp_path_factory.mktemp("served") / "workspace"
    studio = Studio.open(workspace)
    fill(studio, "small", CAPTIONS, 2)
    studio.close()
    app = ServedApp(workspace, "--auth", str(accounts), "--root-path", "/lab/synth")
    yield app
    app.end()


@contextmanager
def logged_in(served: Any, name: str, under: str = "", password: str = "") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.address.rstrip("/") + under, timeout=30) as client:
        answer = client.post("/gradio_api/synthvlm/login", data={"name": name, "password": password or PASSWORDS[name]})
        assert answer.status_code == 303, answer.text
        yield client


def test_nothing_is_answered_without_a_login(served: Any) -> None:
    from synthvlm_ui.ui.routes.api import Api
    from synthvlm_ui.ui.routes.build import build_routes

    studio = Studio.open(served.workspace, read_only=True)
    own = [(next(iter(route.methods - {"HEAD"})), route.path) for route in build_routes(Api(studio, read_only=True))]
    thumb = studio.workspace.columns.ids_of([0])[0] if studio.refresh() or True else ""
    studio.close()
    gradio = [("GET", path) for path in ("/config", "/gradio_api/info", "/theme.css",
                                         f"/gradio_api/synthvlm/thumb/{thumb}", "/gradio_api/file=/etc/passwd")]
    gradio += [("POST", path) for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/run/predict")]
    with httpx.Client(base_url=served.address, timeout=30) as client:
        for method, path in [*own, *gradio]:
            answer = client.request(method, path.replace("{", "0").replace("}", "0"))
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
            assert "duck" not in answer.text and "cat" not in answer.text
        page = client.get("/")
        assert page.status_code == 401 and "Password" in page.text and "synthvlm/login" in page.text
        assert "no-store" in page.headers["cache-control"]


def test_who_is_logged_in_decides_under_that_name_whatever_the_page_says(served: Any) -> None:
    studio = Studio.open(served.workspace, read_only=True)
    studio.refresh()
    body = {"ids": studio.workspace.columns.ids_of([0]), "verdict": "keep"}
    studio.close()
    with logged_in(served, "asa") as client, logged_in(served, "bo") as other:
        (cookie,) = client.cookies.jar
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert client.get("/gradio_api/synthvlm/state").json()["login"] == "asa"
        said = client.post("/gradio_api/synthvlm/verdict", json=body, headers={"x-synthvlm-actor": "bo"})
        assert said.status_code == 200
        assert client.get("/gradio_api/synthvlm/events?limit=1").json()["events"][0]["actor"] == "asa"
        assert other.post("/gradio_api/synthvlm/undo", json={}).json()["changed"] == 0, "each undoes their own"
        client.post("/gradio_api/synthvlm/logout")
        assert client.get("/gradio_api/synthvlm/state").status_code == 401


def test_a_changed_password_ends_every_session_that_began_before(served: Any, accounts: Path) -> None:
    add_account(accounts, "cy", "first password")
    with logged_in(served, "cy", password="first password") as client:
        assert client.get("/gradio_api/synthvlm/state").status_code == 200
        add_account(accounts, "cy", "second password")
        assert client.get("/gradio_api/synthvlm/state").status_code == 401
    with logged_in(served, "cy", password="second password") as client:
        assert client.get("/gradio_api/synthvlm/state").json()["login"] == "cy"


def test_it_answers_under_its_path_and_without(served: Any) -> None:
    for under in ("", "/lab/synth"):
        with logged_in(served, "asa", under=under) as client:
            assert client.get("/gradio_api/synthvlm/state").json()["login"] == "asa"
            page = client.get("/")
            assert page.status_code == 200
            assert "gradio_api/synthvlm/static/js/main.js" in page.text
    assert httpx.get(served.address + "lab/other/gradio_api/synthvlm/state").status_code == 401


def test_wrong_passwords_are_slowed_down_at_the_door(served: Any) -> None:
    with httpx.Client(base_url=served.address, timeout=30) as client:
        codes = [client.post("/gradio_api/synthvlm/login", data={"name": "mallory", "password": f"guess {number}"})
                 .status_code for number in range(FREE_TRIES + 2)]
        assert codes[:FREE_TRIES] == [401] * FREE_TRIES and codes[-1] == 429
