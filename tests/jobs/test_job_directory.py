"""The job directory without any worker: creation, order, states that need no process, bad input."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from synthvlm_ui.errors import BadSetting, CorruptData, Failure, UnknownName, UserError, WorkspaceError
from synthvlm_ui.jobs import JobDirectory, locks
from synthvlm_ui.jobs.directory import job_id
from synthvlm_ui.jobs.job_files import JobStatus, error_from_json, error_to_json


def test_job_is_listed_with_what_it_was_created_with(desk):
    id = desk.jobs.create("generate", {"steps": 4, "name": "Zürich"}, "cuda:0")
    summary = desk.jobs.show(id)
    assert (summary.kind, summary.state, summary.device, summary.progress) == ("generate", "queued", "cuda:0", 0.0)
    assert desk.jobs.config(id) == {"steps": 4, "name": "Zürich"}
    assert desk.jobs.live_dir(id).is_dir()
    assert [s.id for s in desk.jobs.list()] == [id]
    assert desk.jobs.error(id) is None


def test_ids_sort_by_time_and_never_collide(desk):
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(desk.count(1) for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 40
    assert [s.id for s in desk.jobs.list()] == sorted(found, reverse=True)
    assert job_id(1_795_245_300 * 10**9) < job_id(1_795_245_300 * 10**9 + 20_000) < job_id(1_795_245_301 * 10**9)


def test_config_that_is_no_json_leaves_nothing_behind(desk):
    endless: dict[str, object] = {}
    endless["self"] = endless
    with pytest.raises((ValueError, RecursionError)):
        desk.jobs.create("generate", endless, "cpu")
    assert os.listdir(desk.jobs.path) == []


@pytest.mark.parametrize("device", ["", "../cpu", "a/b", ".hidden", "cuda 0"])
def test_device_name_that_no_file_could_carry_is_refused(desk, device):
    with pytest.raises(BadSetting):
        desk.jobs.create("generate", {}, device)
    assert not desk.jobs.path.exists()


@pytest.mark.parametrize("id", ["20261121T071500-ab12", "..", "", ".workers", "20261121T071500-ab12/../x"])
def test_unknown_job_is_named_with_the_known_ones(desk, id):
    known = desk.count(1)
    for ask in (desk.jobs.show, desk.jobs.stop, desk.jobs.resume, desk.jobs.config, desk.jobs.log_tail, desk.jobs.error,
                desk.jobs.live_dir, desk.jobs.metrics):
        with pytest.raises(UnknownName, match="unknown job") as caught:
            ask(id)
        assert known in caught.value.fix


def test_missing_folder_has_no_jobs_and_is_not_made_by_looking(tmp_path):
    jobs = JobDirectory(tmp_path / "none")
    assert jobs.list() == [] and jobs.queued("cpu") == [] and jobs.queued_devices() == []
    assert not (tmp_path / "none").exists()


def test_stop_of_a_queued_job_is_immediate_and_resume_puts_it_last(desk):
    first, second = desk.count(1), desk.count(1)
    assert desk.jobs.stop(first).state == "stopped"
    assert desk.jobs.queued("cpu") == [second]
    assert desk.jobs.resume(first).state == "queued"
    assert desk.jobs.queued("cpu") == [second, first]
    assert desk.jobs.resume(first).state == "queued"
    assert desk.jobs.queued("cpu") == [second, first]


def test_done_job_cannot_be_resumed_and_stop_leaves_it(desk):
    id = desk.count(1)
    desk.jobs.files(id).write_status(JobStatus("done", result={"n": 1}))
    assert desk.jobs.stop(id).state == "done"
    with pytest.raises(BadSetting, match="already done"):
        desk.jobs.resume(id)
    assert desk.jobs.show(id).progress == 1.0


def test_running_job_without_worker_shows_as_crashed_and_can_be_resumed(desk):
    id = desk.count(10)
    desk.jobs.files(id).write_status(JobStatus("running", worker="gone", done=4, total=10, eta_s=3.0))
    summary = desk.jobs.show(id)
    assert (summary.state, summary.progress, summary.eta_s) == ("crashed", 0.4, None)
    assert summary.message == ("the worker process ended unexpectedly (killed?). "
                               "Resume continues from the last finished chunk.")
    error = desk.jobs.error(id)
    assert error is not None and error.exit_code == 1 and id in str(error)
    resumed = desk.jobs.resume(id)
    assert (resumed.state, resumed.done) == ("queued", 4) and desk.jobs.error(id) is None


def test_each_device_has_its_own_queue(desk):
    one, two, three = desk.count(1, device="cpu"), desk.count(1, device="cuda:0"), desk.count(1, device="cpu")
    assert desk.jobs.queued("cpu") == [one, three] and desk.jobs.queued("cuda:0") == [two]
    assert desk.jobs.queued_devices() == ["cpu", "cuda:0"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"done": 3}'])
def test_status_that_does_not_read_back_is_a_failure_that_can_be_resumed(desk, text):
    broken, sound = desk.count(1), desk.count(1)
    desk.jobs.files(broken).status_file.write_text(text)
    assert {s.id: s.state for s in desk.jobs.list()} == {broken: "failed", sound: "queued"}
    assert isinstance(desk.jobs.error(broken), CorruptData)
    assert desk.jobs.resume(broken).state == "queued"


def test_job_that_ends_while_it_is_looked_at_never_shows_as_crashed(desk, monkeypatch):
    id = desk.count(1)
    desk.jobs.files(id).write_status(JobStatus("running", worker="w"))

    def worker_ends_just_now(path):
        desk.jobs.files(id).write_status(JobStatus("done", worker="w"))

    monkeypatch.setattr(locks, "owner_of", worker_ends_just_now)
    assert desk.jobs.show(id).state == "done"


def test_lock_is_not_lost_to_somebody_who_only_looks(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    looking = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(locks.time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    lock = locks.take(path)
    assert lock is not None and locks.is_held(path) and locks.take(path) is None
    lock.release()
    assert not locks.is_held(path)
    os.close(looking)


def test_lock_of_a_file_that_was_deleted_meanwhile_is_taken_again(tmp_path, monkeypatch):
    path, real, calls = tmp_path / "lock", fcntl.flock, []

    def flock(descriptor, operation):
        if not calls:
            path.unlink()
        calls.append(operation)
        real(descriptor, operation)

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    lock = locks.take(path)
    assert lock is not None and lock.still_there()
    path.unlink()
    assert not lock.still_there()
    lock.release()


def test_without_file_locks_the_process_itself_is_looked_up(tmp_path, monkeypatch):
    def unsupported(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    path, me = tmp_path / "lock", psutil.Process()
    path.write_text(json.dumps({"pid": me.pid, "create_time": me.create_time()}))
    assert locks.owner_of(path) == {"pid": me.pid, "create_time": me.create_time()}
    path.write_text(json.dumps({"pid": me.pid, "create_time": me.create_time() - 60}))
    assert locks.owner_of(path) is None
    with pytest.raises(WorkspaceError, match="file locks") as caught:
        locks.take(path)
    assert "local disk" in caught.value.fix


def test_half_made_job_is_no_job(desk):
    desk.count(1)
    (desk.jobs.path / ".new-0123").mkdir()
    (desk.jobs.path / ".new-0123" / "config.json").write_text("{")
    assert len(desk.jobs.list()) == 1


def test_readers_never_see_half_a_status(desk):
    id = desk.count(1)
    files, stop, seen = desk.jobs.files(id), threading.Event(), set()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            files.write_status(JobStatus("queued", done=number, total=10**6, message="x" * (number % 977)),
                               durable=False)

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        summary = JobDirectory(desk.jobs.path).show(id)
        assert summary.state == "queued" and len(summary.message) == summary.done % 977
        seen.add(summary.done)
    stop.set()
    writer.join()
    assert len(seen) > 5 and not list(files.directory.glob(".status*"))


def test_change_within_one_tick_of_the_clock_is_seen(desk):
    files = desk.jobs.files(desk.count(1))
    tick_ns = time.time_ns()
    for done in (1, 2, 3):
        files.status_file.write_text(json.dumps({"state": "queued", "done": done}))
        os.utime(files.status_file, ns=(tick_ns, tick_ns))
        assert files.status().done == done


@pytest.mark.parametrize("error", [
    BadSetting("a", where="b", fix="C."), UnknownName("x"), Failure("broken", where="here"), CorruptData("bad")])
def test_errors_come_back_as_they_went(error):
    back = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert type(back) is type(error) and str(back) == str(error) and back.exit_code == error.exit_code


def test_error_class_of_another_version_keeps_its_exit_code():
    assert type(error_from_json({"class": "FromTheFuture", "what": "w", "exit_code": 2})) is UserError
    assert type(error_from_json({"class": "os", "what": "w", "exit_code": 1})) is Failure


def test_log_tail_reads_the_end_of_a_long_log(desk):
    id = desk.count(1)
    assert desk.jobs.log_tail(id) == []
    log = desk.jobs.files(id).log_file
    log.write_text("".join(f"{number} {'y' * 900}\n" for number in range(2000)))
    assert [line.split()[0] for line in desk.jobs.log_tail(id, 3)] == ["1997", "1998", "1999"]
    assert len(desk.jobs.log_tail(id, 5000)) == 2000 and desk.jobs.log_tail(id, 0) == []


def test_many_jobs_list_quickly_once_seen(desk):
    template = desk.jobs.files(desk.count(1)).directory
    for number in range(400):
        folder = Path(desk.jobs.path / job_id((1_700_000_000 + number) * 10**9))
        folder.mkdir()
        for name in ("config.json", "status.json"):
            (folder / name).write_bytes((template / name).read_bytes())
    time.sleep(0.15)
    desk.jobs.list()
    start_s = time.process_time()
    desk.jobs.queued("cpu")
    assert time.process_time() - start_s < 0.15
