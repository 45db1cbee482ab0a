"""Real worker processes: the queue, stop, resume, kill, idle exit and the races between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from synthvlm_ui.errors import BadSetting, Failure, UnknownName, WorkerDied
from synthvlm_ui.jobs import Worker, end_worker, ensure_worker, follow, worker_log_path, worker_state
from synthvlm_ui.jobs.worker import FULL_LOOK_S


def test_job_runs_to_its_result(desk):
    id = desk.count(5)
    started_s = time.monotonic()
    assert desk.work() is True
    assert time.monotonic() - started_s < 0.5  # 3 to 5 ms on an idle machine
    updates = []
    summary = follow(desk.jobs, id, updates.append, poll_s=0.01)
    assert (summary.state, summary.progress, summary.done, summary.result) == ("done", 1.0, 5, {"steps": 5})
    assert updates[-1] == summary and desk.jobs.error(id) is None
    rows = desk.jobs.metrics(id)
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4] and rows[0]["loss"] is None and rows[0]["time"]
    assert json.loads(desk.jobs.files(id).pid_file.read_text())["pid"] == desk.owner_pid()
    assert desk.jobs.log_tail(id)[-1].endswith("done: step 4")
    with pytest.raises(BadSetting):
        desk.jobs.resume(id)


def test_jobs_run_one_by_one_in_the_order_in_which_they_were_queued(desk):
    out = desk.path / "order.txt"
    ids = [desk.jobs.create("order", {"out": str(out)}, "cpu") for _ in range(6)]
    desk.jobs.stop(ids[2])
    desk.jobs.resume(ids[2])
    desk.work()
    desk.until(lambda: all(s.state == "done" for s in desk.jobs.list()))
    expected = ids[:2] + ids[3:] + [ids[2]]
    assert out.read_text().split() == expected
    assert len({desk.jobs.show(id).result["pid"] for id in ids}) == 1


def test_waiting_worker_notices_new_and_resumed_jobs_at_once(desk):
    id = desk.count(1)
    desk.jobs.stop(id)
    desk.work()
    desk.until(lambda: desk.owner_pid())
    for queue in (lambda: desk.jobs.resume(id).id, lambda: desk.count(1)):
        time.sleep(0.4)  # it has looked at everything and now waits for a change
        queued_s = time.monotonic()
        desk.until_state(queue(), "done")
        assert time.monotonic() - queued_s < FULL_LOOK_S / 2


def test_stop_and_resume_redo_nothing(desk):
    id = desk.count(12, seconds=0.05)
    desk.work()
    desk.until(lambda: desk.jobs.show(id).done >= 2)
    assert desk.jobs.stop(id).state in ("stopping", "stopped")
    desk.until_state(id, "stopped")
    before = {path.name: path.stat().st_mtime_ns for path in desk.out.iterdir()}
    assert 2 <= len(before) < 12 and desk.jobs.show(id).result == {"steps": len(before)}
    desk.jobs.resume(id)
    desk.work()
    assert follow(desk.jobs, id, lambda _: None).state == "done"
    after = {path.name: path.stat().st_mtime_ns for path in desk.out.iterdir()}
    assert len(after) == 12 and before.items() <= after.items()


def test_resume_while_stopping_is_refused(desk):
    id = desk.count(3, seconds=0.6)
    desk.work()
    desk.until(lambda: desk.jobs.show(id).done == 1)
    assert desk.jobs.stop(id).state == "stopping"
    with pytest.raises(BadSetting, match="still stopping"):
        desk.jobs.resume(id)


def test_kill_is_noticed_at_once_and_resume_continues(desk):
    id = desk.count(10, seconds=0.05)
    desk.work()
    desk.until(lambda: desk.jobs.show(id).done >= 3)
    pid = desk.owner_pid()
    os.kill(pid, signal.SIGKILL)
    desk.until(lambda: not _lives(pid))
    assert desk.state(id) == "crashed"
    summary = follow(desk.jobs, id, lambda _: None)
    assert "ended unexpectedly" in summary.message and isinstance(desk.jobs.error(id), WorkerDied)
    before = {path.name: path.stat().st_mtime_ns for path in desk.out.iterdir()}
    desk.jobs.resume(id)
    assert desk.work() is True
    assert follow(desk.jobs, id, lambda _: None).state == "done"
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in desk.out.iterdir()}.items()


def test_job_killed_while_stopping_runs_again_when_resumed(desk):
    id = desk.count(4, seconds=0.4)
    desk.work()
    desk.until(lambda: desk.jobs.show(id).done == 1)
    assert desk.jobs.stop(id).state == "stopping"
    os.kill(desk.owner_pid(), signal.SIGKILL)
    desk.until_state(id, "crashed")
    desk.jobs.resume(id)
    desk.work()
    assert follow(desk.jobs, id, lambda _: None).state == "done"


def test_job_stopped_between_being_seen_and_being_started_does_not_run(desk):
    ran: list[str] = []
    worker = Worker(desk.jobs.path, "cpu", {"count": lambda context: ran.append(context.id) or {}}, idle_s=0.0)
    id, queued = desk.count(1), worker.jobs.queued

    def queued_then_stopped(device):
        waiting = queued(device)
        desk.jobs.stop(id)
        return waiting

    worker.jobs.queued = queued_then_stopped
    worker.run()
    assert ran == [] and desk.state(id) == "stopped"


def test_next_worker_writes_the_crash_down_and_leaves_the_job_to_its_owner(desk):
    crashed = desk.count(100, seconds=0.05)
    desk.work()
    desk.until(lambda: desk.jobs.show(crashed).done >= 1)
    os.kill(desk.owner_pid(), signal.SIGKILL)
    other = desk.jobs.create("order", {"out": str(desk.path / "o")}, "cpu")
    desk.until(lambda: desk.state(crashed) == "crashed")
    desk.work()
    desk.until_state(other, "done")
    assert desk.jobs.files(crashed).status().state == "crashed"


def test_many_starters_at_once_start_one_worker(desk):
    id = desk.count(1)
    script = ("import sys, time; from synthvlm_ui.jobs import ensure_worker\n"
              "time.sleep(max(0, float(sys.argv[1]) - time.time()))\n"
              "print(sum(ensure_worker(sys.argv[2], 'cpu', sys.argv[3:]) for _ in range(20)))")
    at = str(time.time() + 0.6)
    starters = [subprocess.Popen([sys.executable, "-c", script, at, str(desk.jobs.path), *desk.command()],
                                 env={**os.environ, **desk.env}, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    threads_started: list[bool] = []
    threads = [threading.Thread(target=lambda: threads_started.append(desk.work())) for _ in range(4)]
    time.sleep(max(0.0, float(at) - time.time()))
    for thread in threads:
        thread.start()
    counts = [int(starter.communicate()[0]) for starter in starters]
    for thread in threads:
        thread.join()
    assert sum(counts) + sum(threads_started) == 1
    desk.until_state(id, "done")


def test_second_worker_process_leaves_quietly(desk):
    desk.count(20, seconds=0.05)
    desk.work()
    desk.until(lambda: desk.owner_pid())
    first = desk.owner_pid()
    second = subprocess.run(desk.command(), env={**os.environ, **desk.env}, capture_output=True, timeout=5)
    assert (second.returncode, second.stdout, second.stderr) == (0, b"", b"")
    assert desk.owner_pid() == first


def test_devices_have_workers_of_their_own(desk):
    one, two = desk.count(3, seconds=0.1, device="cpu"), desk.count(3, seconds=0.1, device="cuda:0")
    assert desk.work("cpu") and desk.work("cuda:0")
    desk.until_state(one, "done")
    desk.until_state(two, "done")
    assert desk.owner_pid("cpu") != desk.owner_pid("cuda:0")


def test_idle_worker_leaves_and_frees_the_device(desk):
    id = desk.count(1)
    desk.work(idle_s=0.2)
    desk.until_state(id, "done")
    pid = desk.owner_pid()
    desk.until(lambda: worker_state(desk.jobs.path, "cpu") == "absent")
    desk.until(lambda: not _lives(pid))


def test_job_queued_while_the_worker_leaves_is_run(desk):
    """The worker is held between its last look at the queue and giving the device up; a job is queued just then."""
    worker = Worker(desk.jobs.path, "cpu", {"count": lambda context: {"ran": True}}, idle_s=0.0)
    desk.jobs.path.mkdir()
    queued: list[str] = []
    work = worker._work

    def work_then_queue(lock):
        work(lock)
        if not queued:
            queued.append(desk.count(1))
            assert desk.work() is False  # the device is still taken, so nobody is started

    worker._work = work_then_queue
    worker.run()
    assert [desk.state(id) for id in queued] == ["done"]


def test_no_job_is_left_behind_by_workers_that_leave_all_the_time(desk):
    ids = []
    for number in range(14):
        ids.append(desk.jobs.create("order", {"out": str(desk.path / "o")}, "cpu"))
        desk.work(idle_s=0.0)
        time.sleep(0.03 * (number % 7))
    desk.until(lambda: all(desk.state(id) == "done" for id in ids))
    assert (desk.path / "o").read_text().split() == ids


def test_job_goes_on_when_its_launcher_has_left_and_the_terminal_interrupts(desk):
    script = ("import os, signal, sys; from synthvlm_ui.jobs import JobDirectory, ensure_worker\n"
              "jobs = JobDirectory(sys.argv[1])\n"
              "print(jobs.create('count', {'steps': 10, 'seconds': 0.05, 'out': sys.argv[2]}, 'cpu'))\n"
              "ensure_worker(sys.argv[1], 'cpu', sys.argv[3:])")
    launcher = subprocess.run([sys.executable, "-c", script, str(desk.jobs.path), str(desk.out), *desk.command()],
                              env={**os.environ, **desk.env}, stdout=subprocess.PIPE, text=True, timeout=5,
                              start_new_session=True)
    id = launcher.stdout.strip()
    desk.until(lambda: desk.jobs.show(id).done >= 1)
    pid = desk.owner_pid()
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGINT)
    assert follow(desk.jobs, id, lambda _: None).state == "done"


def test_sigterm_stops_the_job_at_a_safe_point_and_ends_the_worker(desk):
    running, waiting = desk.count(100, seconds=0.05), desk.count(1)
    desk.work()
    desk.until(lambda: desk.jobs.show(running).done >= 1)
    assert end_worker(desk.jobs.path, "cpu") is True
    desk.until(lambda: worker_state(desk.jobs.path, "cpu") == "absent")
    assert desk.state(running) == "stopped" and desk.state(waiting) == "queued"
    assert end_worker(desk.jobs.path, "cpu") is False
    assert follow(desk.jobs, waiting, lambda _: None, ensure=desk.work).state == "done"


def test_user_errors_come_back_whole_and_bugs_with_their_last_line(desk):
    refused = desk.jobs.create("refuse", {}, "cpu")
    broken = desk.jobs.create("break_down", {}, "cpu")
    strange = desk.jobs.create("no such kind", {}, "cpu")
    desk.work()
    desk.until_state(strange, "failed")
    error = desk.jobs.error(refused)
    assert isinstance(error, BadSetting) and error.exit_code == 2
    assert str(error) == "width 1001 is not a multiple of 8 (--width). Use 1000 or 1008."
    assert desk.jobs.show(refused).message == str(error)
    bug = desk.jobs.error(broken)
    assert type(bug) is Failure and bug.what == "RuntimeError: the engine broke" and bug.exit_code == 1
    log = "\n".join(desk.jobs.log_tail(broken, 50))
    assert "Traceback" in log and "in break_down" in log
    assert isinstance(desk.jobs.error(strange), UnknownName)
    assert desk.jobs.resume(refused).state == "queued"


def test_low_disk_pauses_the_job_until_there_is_room(desk):
    id = desk.jobs.create("need_disk", {"needed_bytes": 100 * 2**20}, "cpu")
    room = desk.jobs.files(id).directory / "free_bytes"
    room.write_text(str(550 * 2**20))
    desk.work()
    desk.until_state(id, "paused")
    assert desk.jobs.show(id).message.startswith("paused: 550 MiB free at ")
    assert "600 MiB needed" in desk.jobs.show(id).message
    room.with_suffix(".new").write_text(str(601 * 2**20))
    os.replace(room.with_suffix(".new"), room)
    desk.until_state(id, "done")
    assert desk.jobs.show(id).message == "drawing" and desk.jobs.show(id).result == {"went_on": True}


def test_paused_job_can_be_stopped_and_killed(desk):
    stopped = desk.jobs.create("need_disk", {}, "cpu")
    killed = desk.jobs.create("need_disk", {}, "cpu")
    desk.work()
    desk.until_state(stopped, "paused")
    desk.jobs.stop(stopped)
    desk.until_state(stopped, "stopped")
    desk.until_state(killed, "paused")
    os.kill(desk.owner_pid(), signal.SIGKILL)
    desk.until_state(killed, "crashed")


def test_worker_that_cannot_start_is_reported_with_its_last_words(desk):
    id = desk.count(1)
    broken = [sys.executable, "-c", "raise SystemExit('no module named anything')"]
    with pytest.raises(WorkerDied, match="comes up: no module named anything"):
        follow(desk.jobs, id, lambda _: None, poll_s=0.01, patience_s=0.1,
               ensure=lambda: ensure_worker(desk.jobs.path, "cpu", broken))
    assert desk.state(id) == "queued" and worker_log_path(desk.jobs.path, "cpu").exists()
    with pytest.raises(WorkerDied):
        ensure_worker(desk.jobs.path, "cpu", [str(desk.path / "no-such-program")])
    assert desk.work() is True
    desk.until_state(id, "done")


def test_follow_without_a_starter_does_not_wait_for_ever(desk):
    with pytest.raises(WorkerDied, match="waits"):
        follow(desk.jobs, desk.count(1), lambda _: None, poll_s=0.01, patience_s=0.05)


def test_worker_leaves_when_the_workspace_is_deleted(desk):
    id = desk.count(1)
    desk.work()
    desk.until_state(id, "done")
    pid = desk.owner_pid()
    os.rename(desk.jobs.path, desk.path / "elsewhere")
    desk.until(lambda: not _lives(pid))
    assert not desk.jobs.path.exists()


def test_child_forked_by_a_job_does_not_keep_a_killed_worker_alive(desk):
    id = desk.jobs.create("fork", {}, "cpu")
    desk.work()
    desk.until(lambda: desk.jobs.show(id).done == 1)
    child = desk.jobs.show(id).total
    os.kill(desk.owner_pid(), signal.SIGKILL)
    try:
        desk.until(lambda: desk.state(id) == "crashed", within_s=4)
        assert _lives(child)
    finally:
        os.kill(child, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
