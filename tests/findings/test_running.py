"""Every kind of task runs with tiny sizes, is kept, and is read instead of measured again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synthvlm_ui.findings import FULL, Plan, table, tasks_of
from synthvlm_ui.findings.laboratory import Laboratory
from synthvlm_ui.findings.tasks import Part, Task

TINY = replace(FULL, seeds=1, real=6, pool=8, written=8, heldout=3, sizes=(4, 8), chosen=4, batch=4, steps=3, curve=2,
               looking=8, looking_steps=2, language_steps=2, timed_steps=1)


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("findings")


@pytest.fixture(scope="module")
def laboratory(folder: Path) -> Laboratory:
    made = Laboratory(folder, TINY, lambda what, done, total: None)
    for seed, task in tasks_of(TINY):
        made.result(task, seed)
    return made


def test_every_finding_has_a_number_once_all_tasks_are_done(laboratory: Laboratory) -> None:
    entries = table(TINY, laboratory.results)
    assert [entry["id"] for entry in entries] == [
        "1", "2", "3-rate", "3-parity", "4-diversity", "4-training", "5", "6", "7"]
    for entry in entries:
        assert entry["ours"]["n"] == 1 and entry["ours"]["sd"] is None
        assert isinstance(entry["holds"], bool) and entry["criterion"]


def test_a_second_run_measures_nothing(laboratory: Laboratory, folder: Path) -> None:
    def told(what: str, done: int, total: int) -> None:
        raise AssertionError(f"measured again: {what}")

    again = Laboratory(folder, TINY, told)
    for seed, task in tasks_of(TINY):
        assert again.result(task, seed) == laboratory.result(task, seed)


def test_a_stopped_run_keeps_what_it_has_and_goes_on(folder: Path, laboratory: Laboratory) -> None:
    plan = replace(TINY, steps=4)
    task = Task("captioner", (Part("real"),))

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("seed") and done == 2:
            raise Stopped

    stopping = Laboratory(folder, plan, stop)
    with pytest.raises(Stopped):
        stopping.result(task, 0)
    assert stopping.results.get(task, plan, 0) is None
    images = sorted(path.name for path in (folder / "sets").iterdir())
    assert Laboratory(folder, plan, lambda *_: None).result(task, 0)["steps"] == 4
    assert sorted(path.name for path in (folder / "sets").iterdir()) == images


def test_the_same_arm_gives_the_same_numbers_elsewhere(tmp_path: Path, folder: Path, laboratory: Laboratory) -> None:
    task = Task("captioner", (Part("real"),), curve=True)
    (tmp_path / "front").symlink_to(folder / "front")
    (tmp_path / "sets").symlink_to(folder / "sets")
    elsewhere = Laboratory(tmp_path, TINY, lambda *_: None).result(task, 0)
    assert elsewhere["cider"] == pytest.approx(laboratory.result(task, 0)["cider"])
    assert elsewhere["loss"] == pytest.approx(laboratory.result(task, 0)["loss"])


def test_the_number_of_seeds_names_no_result() -> None:
    task, more = Task("rates"), replace(TINY, seeds=3)
    assert task.key(TINY, 0) == task.key(more, 0) != task.key(more, 1)
    assert task.key(TINY, 0) != task.key(Plan(), 0)
