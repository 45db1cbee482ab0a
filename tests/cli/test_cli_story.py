"""The whole loop as a user types it, with the embedded generator, on a workspace that starts empty."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Ran, answer_of
from PIL import Image

CAPTIONS = ("a red apple to the left of a blue car on a green meadow", "on a sandy beach, two buses", "a yellow duck",
            "a red wall with a white umbrella to the right of a blue rabbit", "two green frogs", "a castle")
IMAGES_PER_CAPTION = 2
CANDIDATES = len(CAPTIONS) * IMAGES_PER_CAPTION
GENERATE = ("generate", "--dataset", "toys", "--images-per-caption", IMAGES_PER_CAPTION, "--seed", 5)


@pytest.fixture(scope="module")
def line(open_command_line: Callable[[str], CommandLine]) -> CommandLine:
    """A workspace with one dataset, generated and scored; the commands' answers are asserted on the way."""
    line = open_command_line("story")
    source = line.workspace.parent / "captions.txt"
    source.write_text("\n".join([*CAPTIONS, "", CAPTIONS[0]]), encoding="utf-8")
    imported = answer_of(line.run("captions", "import", source, "--dataset", "toys"))
    assert imported["imported"] == len(CAPTIONS)
    assert imported["rejected"] == sum(imported["reasons"].values()) == 2
    ran = line.run(*GENERATE)
    assert ran.code == 0, ran.stderr
    assert {key: ran.answer[key] for key in ("generated", "failed", "skipped")} == {
        "generated": CANDIDATES, "failed": 0, "skipped": 0}
    assert ran.answer["job_id"]
    assert len(ran.stdout.splitlines()) == 1
    assert f"{CANDIDATES} images" in ran.stderr
    return line


def selected(line: CommandLine, name: str, *options: object) -> tuple[dict[str, Any], list[str]]:
    """Without the guards, so that the counts do not depend on how well the shipped weights draw."""
    return with_ids(line.run_here("select", "--dataset", "toys", "--name", name, "--guards", "off", *options))


def with_ids(ran: Ran) -> tuple[dict[str, Any], list[str]]:
    """The answer of select and the ids in the file that it names."""
    answer = answer_of(ran)
    ids = Path(answer["ids_file"]).read_text(encoding="utf-8").split()
    assert len(ids) == answer["kept"]
    return answer, ids


def test_info_says_what_can_draw_and_what_there_is(line: CommandLine) -> None:
    facts = line.answer("info")
    generators = {each["name"]: each for each in facts["backends"]["generators"]}
    assert generators["miniature"]["status"] == "ready"
    assert set(generators["miniature"]) >= {"name", "status", "note"}
    assert {"generators", "embedders", "writers"} <= set(facts["backends"])
    assert facts["counts"]["captions"] >= len(CAPTIONS)
    assert facts["counts"]["candidates"] >= CANDIDATES
    assert facts["versions"]["torch"]


def test_select_verdict_undo_export_validate(line: CommandLine, tmp_path: Path) -> None:
    """The loop after the pictures are there, a process for each command: a person's word stands over the rule's."""
    rule = ("select", "--dataset", "toys", "--name", "half", "--lambda", 0.5, "--keep-ratio", 0.5, "--guards", "off")
    answer, ids = with_ids(line.run(*rule))
    assert (answer["total"], answer["kept"]) == (CANDIDATES, CANDIDATES // 2)
    assert 1 <= answer["captions_kept"] <= len(CAPTIONS)
    assert answer["thresholds"]

    rejected = answer_of(line.run("verdict", "set", "reject", "--ids", ids[0]))
    assert rejected["changed"] == 1
    assert line.answer("verdict", "list")["events"][0]["id"] == rejected["event_id"]
    _, without = with_ids(line.run(*rule))
    assert ids[0] not in without
    assert answer_of(line.run("verdict", "undo"))["changed"] == 1
    assert with_ids(line.run(*rule))[1] == ids
    assert answer_of(line.run("verdict", "redo"))["changed"] == 1
    assert with_ids(line.run(*rule))[1] == without

    out = tmp_path / "llava"
    exported = answer_of(line.run("export", "--selection", "half", "--format", "llava", "--out", out, "--rejects"))
    assert exported["written"] == len(without)
    assert len(exported["manifest_sha256"]) == 64
    valid = answer_of(line.run("validate", out, "--format", "llava"))
    assert valid == {"schema_version": 1, "ok": True, "errors": [], "warnings": []}
    check_llava(out, len(without))
    line.answer("verdict", "set", "clear", "--ids", ids[0])


def check_llava(out: Path, count: int) -> None:
    """The rows are LLaVA's, the pictures are pictures, and validate sees when one is missing."""
    rows = _llava_rows(out)
    assert len(rows) == count
    for row in rows:
        assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
        assert row["conversations"][1]["value"] in CAPTIONS
        assert "<image>" in row["conversations"][0]["value"]
    picture = next(out.rglob(Path(rows[0]["image"]).name))
    with Image.open(picture) as image:
        assert len(image.convert("RGB").resize((16, 16)).getcolors() or ()) > 8, "the picture is flat"
    picture.unlink()
    broken = CommandLine(out.parent / "none").run("validate", out, "--format", "llava")
    assert broken.code == 1
    assert broken.answer["ok"] is False
    assert broken.answer["errors"]


def _llava_rows(out: Path) -> list[dict[str, Any]]:
    for path in sorted(out.glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(rows, list) and rows and "conversations" in rows[0] and "reject" not in path.name:
            return rows
    raise AssertionError(f"no LLaVA JSON in {sorted(out.iterdir())}")


def test_the_same_rule_keeps_the_same_candidates(line: CommandLine) -> None:
    first, second = selected(line, "first", "--top-k", 5), selected(line, "second", "--top-k", 5)
    assert first[1] == second[1]
    assert len(set(first[1])) == 5
    assert selected(line, "random", "--random", "--seed", 3, "--top-k", 5)[1] == selected(
        line, "random", "--random", "--seed", 3, "--top-k", 5)[1]


def test_best_per_caption_keeps_one_of_each(line: CommandLine) -> None:
    answer, _ = selected(line, "one-each", "--best-per-caption")
    assert answer["kept"] == answer["captions_kept"]


def test_guards_only_ever_drop(line: CommandLine) -> None:
    guarded, ids = selected(line, "guarded", "--guards", "on")
    assert guarded["total"] >= guarded["kept"]
    assert set(ids) <= set(selected(line, "unguarded")[1])


def test_a_selection_can_be_rejected_as_a_whole_and_cleared(line: CommandLine) -> None:
    _, ids = selected(line, "worst", "--top-k", 3)
    assert line.answer("verdict", "set", "reject", "--selection", "worst")["changed"] == 3
    assert set(selected(line, "worst-again", "--top-k", 3)[1]) & set(ids) == set()
    listed = line.workspace.parent / "ids.txt"
    listed.write_text("\n".join(ids), encoding="utf-8")
    assert line.answer("verdict", "set", "clear", "--ids-file", listed)["changed"] == 3
    assert selected(line, "worst-again", "--top-k", 3)[1] == ids


def test_generating_again_draws_nothing(line: CommandLine) -> None:
    again = line.answer(*GENERATE)
    assert (again["generated"], again["failed"], again["skipped"]) == (0, 0, CANDIDATES)


def test_scores_are_filled_in_for_pictures_drawn_without_them(line: CommandLine) -> None:
    drawn = line.answer("generate", "--dataset", "toys", "--seed", 6, "--limit", 2, "--scorers", "none")
    assert drawn["generated"] == 2
    scored = line.answer("score", "--dataset", "toys")
    assert scored["scored"] == 2
    assert scored["failed"] == 0
    for column in ("clip_cosine", "ssim"):
        spread = scored["metrics"][column]
        assert -1 <= spread["min"] <= spread["mean"] <= spread["max"] <= 1
        assert spread["std"] >= 0
    assert line.answer("score", "--dataset", "toys")["scored"] == 0


def test_a_prompt_becomes_a_candidate_of_its_own(line: CommandLine) -> None:
    made = line.answer("generate", "--prompt", "a green frog", "--images-per-caption", 2)
    assert (made["generated"], made["failed"]) == (2, 0)
    answer = line.answer("select", "--dataset", "prompts", "--name", "frogs", "--guards", "off")
    assert answer["total"] == 2


def test_workers_with_shares_of_a_plan_draw_all_of_it_between_them(line: CommandLine) -> None:
    plan = ("generate", "--dataset", "toys", "--seed", 9, "--chunk-images", 2, "--scorers", "none")
    shares = [line.answer(*plan, "--worker", f"{number}/2")["generated"] for number in (1, 2)]
    assert sum(shares) == len(CAPTIONS)
    assert min(shares) > 0
    assert line.answer(*plan)["generated"] == 0


def test_a_detached_job_is_listed_shown_and_followed(line: CommandLine) -> None:
    started = line.answer("generate", "--dataset", "toys", "--seed", 7, "--detach")
    job_id = started["job_id"]
    listed = line.answer("jobs", "list")["jobs"]
    assert {"id", "kind", "state", "progress", "eta_s"} <= set(listed[0])
    assert job_id in {job["id"] for job in listed}
    (job,) = line.answer("jobs", "show", job_id, "--follow")["jobs"]
    assert (job["state"], job["progress"], job["kind"]) == ("done", 1.0, "generate")
    assert job["config"]["settings"]["seed"] == 7
    assert job["result"]["generated"] == len(CAPTIONS)


def test_a_stopped_job_is_resumed_where_it_was(line: CommandLine) -> None:
    plan = ("generate", "--dataset", "toys", "--seed", 11, "--images-per-caption", 8, "--chunk-images", 8)
    job_id = line.answer(*plan, "--scorers", "none", "--detach")["job_id"]
    assert line.answer("jobs", "stop", job_id)["jobs"][0]["state"] in ("stopping", "stopped", "queued")
    followed = line.run("jobs", "show", job_id, "--follow")
    assert followed.code == 1
    assert "jobs resume" in followed.stderr
    assert line.answer("jobs", "resume", job_id)["jobs"][0]["state"] in ("queued", "running")
    (job,) = line.answer("jobs", "show", job_id, "--follow")["jobs"]
    assert job["state"] == "done"
    assert job["result"]["generated"] == 8 * len(CAPTIONS)


def test_interrupting_the_terminal_leaves_the_job_running(line: CommandLine) -> None:
    process = line.start("generate", "--dataset", "toys", "--seed", 12, "--images-per-caption", 48, "--scorers", "none")
    assert process.stderr
    assert any(text.startswith("[") for text in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    job_id = json.loads(stdout.splitlines()[-1])["job_id"]
    assert f"jobs show {job_id} --follow" in stderr
    assert f"jobs stop {job_id}" in stderr
    (job,) = line.answer("jobs", "show", job_id, "--follow")["jobs"]
    assert job["result"]["generated"] == 48 * len(CAPTIONS)


def test_people_read_lines_on_stdout(line: CommandLine) -> None:
    for words in (["info"], ["jobs", "list"], ["verdict", "list"],
                  ["select", "--dataset", "toys", "--name", "people", "--top-k", "2"]):
        ran = line.run(*words, as_json=False)
        assert ran.code == 0, ran.stderr
        assert ran.stdout.strip()
        assert "schema_version" not in ran.stdout
