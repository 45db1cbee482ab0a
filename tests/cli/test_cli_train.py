"""Training from a selection: a tokenizer, a generator with its tokens, and pictures drawn by that generator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine

CAPTIONS = ("a red apple", "a yellow duck", "two green frogs", "a castle")


@pytest.fixture(scope="module")
def line(open_command_line: Callable[[str], CommandLine]) -> CommandLine:
    """A selection of a few candidates; its worker has one thread, for its networks are tiny."""
    line = open_command_line("training")
    source = line.workspace.parent / "captions.txt"
    source.write_text("\n".join(CAPTIONS), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        line.answer("captions", "import", source, "--dataset", "toys")
        line.answer("generate", "--dataset", "toys", "--images-per-caption", 2, "--scorers", "none",
                    "--num-inference-steps", 2)
    selected = line.answer("select", "--dataset", "toys", "--name", "all", "--random", "--guards", "off")
    assert selected["kept"] == 8
    return line


def test_a_selection_becomes_a_generator_that_draws(line: CommandLine) -> None:
    """Synth2 on the user's own pairs, end to end."""
    tokenizer, generator = line.workspace.parent / "tokenizer", line.workspace.parent / "generator"
    small = ("--selection", "all", "--config", "tiny", "--batch-size", 4, "--device", "cpu")
    trained = line.answer("train", "--recipe", "synth2-vq", *small, "--max-steps", 6, "--out", tokenizer)
    assert trained["checkpoint"] == str(tokenizer) and trained["steps"] == 6 and trained["final_loss"] > 0
    rows = metrics(line, trained["job_id"])
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["perceptual"] > 0 and "adversarial" in rows[-1]
    drawn = line.answer("train", "--recipe", "synth2-generator", *small, "--max-steps", 3, "--out", generator,
                        "--init-from", tokenizer)
    assert drawn["steps"] == 3
    made = line.answer("generate", "--prompt", CAPTIONS[0], "--generator", generator, "--scorers", "none",
                       "--num-inference-steps", 2)
    assert (made["generated"], made["failed"]) == (1, 0)
    listed = line.answer("jobs", "list")["jobs"]
    assert [job["state"] for job in listed if job["kind"] == "train"] == ["done", "done"]


def metrics(line: CommandLine, job_id: str) -> list[dict[str, float]]:
    text = (line.workspace / "jobs" / job_id / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(row) for row in text.splitlines()]


def test_a_second_run_needs_resume_and_resume_continues(line: CommandLine) -> None:
    out = line.workspace.parent / "resumed"
    words = ("train", "--recipe", "synth2-vq", "--selection", "all:2", "--config", "tiny", "--batch-size", 4,
             "--perceptual", "none", "--out", out, "--device", "cpu")
    line.answer(*words, "--max-steps", 2)
    refused = line.run_here(*words, "--max-steps", 4)
    assert refused.code == 2 and "--resume" in refused.stderr
    resumed = line.answer(*words, "--max-steps", 4, "--resume")
    assert resumed["steps"] == 4
    assert [row["step"] for row in metrics(line, resumed["job_id"])] == [3, 4]
    changed = line.run_here(*words, "--max-steps", 4, "--resume", "--seed", 3)
    assert changed.code == 2 and "seed 0, not 3" in changed.stderr


def test_pairs_of_a_file_and_a_folder(line: CommandLine, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number in range(3):
        Image.new("RGB", (40, 30), (80 * number, 0, 0)).save(tmp_path / "images" / f"{number}.png")
    rows = [{"id": str(number), "caption": "a red wall", "image": f"{number}.png"} for number in range(3)]
    (tmp_path / "pairs.json").write_text(json.dumps(rows), encoding="utf-8")
    trained = line.answer("train", "--recipe", "synth2-vq", "--data", tmp_path / "pairs.json", "--images",
                          tmp_path / "images", "--config", "tiny", "--batch-size", 3, "--max-steps", 1,
                          "--perceptual", "none", "--out", tmp_path / "out", "--device", "cpu")
    assert trained["steps"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recipe", "nothing", "--selection", "all"), "unknown recipe"),
        (("--recipe", "synth2-vq"), "nothing to train on"),
        (("--recipe", "synth2-vq", "--selection", "none"), "unknown selection"),
        (("--recipe", "synth2-vq", "--selection", "all:no"), "is not a weight"),
        (("--recipe", "synth2-vq", "--real", "toys"), "has no real images"),
        (("--recipe", "synth2-vq", "--selection", "all", "--config", "huge"), "tiny, miniature, paper"),
        (("--recipe", "synth2-vq", "--selection", "all", "--learning-rate", "2"), "learning rate"),
        (("--recipe", "synth2-vq", "--selection", "all", "--init-from", "."), "nothing to start from"),
        (("--recipe", "synth2-vq", "--selection", "all", "--resume"), "no training to go on with"),
        (("--recipe", "synth2-vq", "--selection", "all", "--perceptual", "vgg16:."), "there is no model.safetensors"),
        (("--recipe", "synth2-generator", "--selection", "all", "--language-model", "."), "there is no config.json"),
        (("--recipe", "synth2-vq", "--data", "pairs.json"), "no such folder of images"),
    ],
)
def test_a_mistake_is_said_before_anything_is_queued(line: CommandLine, words: tuple[str, ...], said: str) -> None:
    before = len(line.answer("jobs", "list")["jobs"])
    refused = line.run_here("train", *words, "--out", "nowhere")
    assert refused.code == 2 and said in refused.stderr
    assert len(line.answer("jobs", "list")["jobs"]) == before
    assert not (line.workspace.parent / "nowhere").exists()
