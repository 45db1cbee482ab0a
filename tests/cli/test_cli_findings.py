"""``findings`` shows a table without measuring anything, and its job is queued for a worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from command_line import CommandLine

from synthvlm_ui.findings import FULL, Results, tasks_of, weights_key


@pytest.fixture(scope="module")
def line(open_command_line: Callable[[str], CommandLine]) -> CommandLine:
    return open_command_line("findings")


def test_the_table_is_the_workspaces_own_once_a_finding_is_measured(line: CommandLine) -> None:
    before = line.answer("findings", "--show")
    assert before["source"] in ("shipped", "none") and len(before["findings"]) == 9
    results = Results(line.workspace / "findings" / weights_key() / "results")
    task = next(task for _, task in tasks_of(FULL) if task.kind == "diversity")
    numbers = {"entropy_bits": 3.0, "top5": 0.5, "object_entropy_bits": 1.0, "object_top5": 0.5}
    results.put(task, FULL, 0, {"written": numbers | {"entropy_bits": 3.5}, "skewed": numbers}, 1.0)
    shown = line.answer("findings", "--show")
    found = {entry["id"]: entry for entry in shown["findings"]}
    assert (shown["source"], shown["seeds"]) == ("workspace", 1)
    assert found["4-diversity"]["ours"]["mean"] == pytest.approx(0.5) and found["4-diversity"]["holds"] is True
    assert found["1"]["ours"] is None and found["1"]["holds"] is None
    printed = line.run_here("findings", "--show", as_json=False)
    assert "entropy over clusters, balanced minus natural: 0.5 bits (n = 1)" in printed.stdout


def test_the_job_is_stopped_between_images_and_keeps_them(line: CommandLine) -> None:
    job_id = line.answer("findings", "--quick", "--detach")["job_id"]
    line.answer("jobs", "stop", job_id)
    listed = {job["id"]: job for job in line.answer("jobs", "list")["jobs"]}
    assert listed[job_id]["kind"] == "findings" and listed[job_id]["state"] in ("stopped", "stopping")
