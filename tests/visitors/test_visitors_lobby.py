"""Copies of a demo: they share what is never changed, have limits, and go when nobody comes; nobody sees another's."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "ui")]

from small_workspace import CAPTIONS, REPEATS, fill  # noqa: E402

from synthvlm_ui.errors import BadSetting, LimitReached, WorkspaceError  # noqa: E402
from synthvlm_ui.records import GenerationSettings  # noqa: E402
from synthvlm_ui.service import Studio  # noqa: E402
from synthvlm_ui.visitors import Limits, Lobby, Used, check_named  # noqa: E402
from synthvlm_ui.visitors.copying import added_bytes, copy_workspace  # noqa: E402

Open = Callable[..., Lobby]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    studio = Studio.open(tmp_path / "demo")
    candidates = fill(studio, "small", CAPTIONS, REPEATS)
    studio.verdicts.verdict([candidates[0].id], "keep", actor="owner")
    studio.close()
    return tmp_path / "demo"


@pytest.fixture
def lobby_of(demo: Path) -> Iterator[Open]:
    made: list[Lobby] = []

    def open_lobby(**limits: int) -> Lobby:
        made.append(Lobby(Studio.open(demo, read_only=True), Limits(**limits)))
        return made[-1]

    yield open_lobby
    for lobby in made:
        lobby.close()
        lobby.owner.close()


def contents(demo: Path) -> dict[str, str]:
    return {path.relative_to(demo).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(demo.rglob("*")) if path.is_file() and "visitors" not in path.relative_to(demo).parts
            and not path.name.endswith(("-wal", "-shm"))}


def until(fact: Callable[[], Any], limit_s: float = 60) -> None:
    end_s = time.monotonic() + limit_s
    while not fact():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.1)


def test_a_copy_has_everything_and_costs_next_to_nothing(demo: Path, tmp_path: Path) -> None:
    copy_workspace(demo, tmp_path / "copy")
    original, copy = Studio.open(demo), Studio.open(tmp_path / "copy")
    assert copy.summary()["datasets"] == original.summary()["datasets"]
    assert [e.id for e in copy.workspace.journal.events()] == [e.id for e in original.workspace.journal.events()]
    original.close()
    copy.close()
    shard = next((tmp_path / "copy" / "shards").rglob("*.tar"))
    assert shard.stat().st_nlink == 2
    assert added_bytes(tmp_path / "copy") < sum(path.stat().st_size for path in demo.rglob("*") if path.is_file())


def test_visitors_see_the_demo_and_nothing_of_each_other(demo: Path, lobby_of: Open) -> None:
    lobby, before = lobby_of(), contents(demo)
    assert lobby.studio_of("a") is lobby.owner and not lobby.standing("a")["own"]
    with pytest.raises(WorkspaceError):
        lobby.owner.captions.import_texts("a stranger's caption", "small")
    a = lobby.own("a")
    a.captions.import_texts("only a may read this", "mine")
    ids = a.workspace.columns.ids_of(range(3))
    a.verdicts.verdict(ids, "reject", actor="a")
    b = lobby.own("b")
    assert lobby.studio_of("a") is a and lobby.studio_of("b") is b
    assert b.captions.datasets() == ["small"] and lobby.owner.captions.datasets() == ["small"]
    assert len(b.workspace.journal.events()) == len(a.workspace.journal.events()) - 1
    assert contents(demo) == before


def test_what_was_added_is_counted_and_limited(lobby_of: Open) -> None:
    lobby = lobby_of(rows=3, images=5)
    lobby.check("a", rows=3)
    lobby.own("a").captions.import_texts("one\ntwo", "mine")
    assert lobby.used("a").rows == 2 and lobby.used("a").images == 0 and lobby.used("a").bytes > 0
    lobby.check("a", rows=1, images=5)
    with pytest.raises(LimitReached, match="1 left"):
        lobby.check("a", rows=2)
    with pytest.raises(LimitReached, match="5 images"):
        lobby.check("a", images=6)
    with pytest.raises(LimitReached, match="MB"):
        Used(0, 0, 300 * 10**6).check(Limits())


def test_an_idle_copy_makes_room_for_another(lobby_of: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    lobby = lobby_of(at_once=1, minutes=1)
    folder = lobby.own("a").workspace.root
    assert lobby.may_change("a") and not lobby.may_change("b")
    with pytest.raises(LimitReached, match="1 visitors"):
        lobby.own("b")
    now_s = time.monotonic
    monkeypatch.setattr("synthvlm_ui.visitors.lobby.time.monotonic", lambda: now_s() + 61)
    until(lambda: not folder.exists())
    monkeypatch.undo()
    assert lobby.own("b").captions.datasets() == ["small"]


def test_a_copy_is_found_again_after_a_restart_and_an_old_one_is_not(demo: Path, lobby_of: Open) -> None:
    first = lobby_of()
    first.own("a").captions.import_texts("kept", "mine")
    old = first.own("b").workspace.root
    first.close()
    import os

    long_ago = time.time() - 3600
    os.utime(old / ".seen", (long_ago, long_ago))
    second = lobby_of()
    assert second.studio_of("a").captions.datasets() == ["mine", "small"] and second.used("a").rows == 1
    assert not old.exists() and second.studio_of("b") is second.owner


def test_jobs_of_visitors_take_turns_and_say_how_long_they_wait(lobby_of: Open) -> None:
    lobby = lobby_of()
    settings = GenerationSettings("miniature", images_per_caption=2, num_inference_steps=2, device="cpu")
    jobs = {name: [lobby.own(name).generation.start(settings, prompt=f"a {colour} apple") for colour in colours]
            for name, colours in (("a", ("red", "blue")), ("b", ("green",)))}
    turns = lobby.turns("a") | lobby.turns("b")
    assert {turn["place"] for turn in turns.values()} >= {1, 2} and all(turn["wait_s"] >= 0 for turn in turns.values())

    def started(name: str, job: str) -> str:
        return (lobby.own(name).workspace.paths.jobs / job / "log.txt").read_text()[:20]

    until(lambda: all(lobby.own(name).jobs.show(job)["state"] == "done" for name in jobs for job in jobs[name]), 120)
    assert started("a", jobs["a"][0]) < started("b", jobs["b"][0]) < started("a", jobs["a"][1])
    assert lobby.turns("a") == {} and lobby.used("a").images == 4


@pytest.mark.parametrize("body", [
    {"settings": {"generator": "org/model"}}, {"settings": {"generator": "/models/mine"}}, {"writer": "openai:m@http://x"},
    {"settings": {"rules": {"perplexity": {"model": "/etc/passwd"}}}}, {"settings": {"perplexity.model": "org/lm"}},
    {"scorers": "clip,vqascore:org/model"}, {"axes": ["seed=1,2", "generator=miniature,org/model"]},
    {"embedder": "lm:/srv/model"}, {"weights": "/srv/w.safetensors"}, {"settings": [{"list": "/etc/passwd"}]},
    {"settings": {"lora": "org/lora"}}, {"executor": "ray"},
])
def test_a_visitor_may_name_only_what_ships(body: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match="visitors of this demo"):
        check_named(body)


def test_what_the_forms_send_by_themselves_is_let_through() -> None:
    check_named({"settings": {"generator": "miniature", "lora": "", "draft_generator": None, "seed": 3},
                 "scorers": "clip, ssim", "embedder": "lm", "writer": "miniature", "axes": ["seed=1,2"],
                 "executor": "local"})


def test_limits_are_read_from_a_line() -> None:
    assert Limits.parse("images=5, at-once=2") == Limits(images=5, at_once=2)
    for wrong in ("images", "images=0", "pictures=3", "images=-1"):
        with pytest.raises(BadSetting, match="limit of visitors"):
            Limits.parse(wrong)
