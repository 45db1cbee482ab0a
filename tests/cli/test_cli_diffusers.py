"""The same loop with a pipeline of diffusers: its real classes, tiny random weights, a local directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine
from tiny_pipelines import save_tiny_sd

CAPTIONS = ("a yellow duck", "two green frogs", "a castle")


@pytest.fixture(scope="module")
def line(open_command_line: Callable[[str], CommandLine]) -> CommandLine:
    line = open_command_line("diffusers")
    source = line.workspace.parent / "captions.txt"
    source.write_text("\n".join(CAPTIONS), encoding="utf-8")
    assert line.answer("captions", "import", source, "--dataset", "toys")["imported"] == len(CAPTIONS)
    return line


def test_generate_select_export_with_a_local_pipeline(line: CommandLine, tmp_path: Path) -> None:
    pipeline = save_tiny_sd(line.workspace.parent / "tiny-sd")
    settings = ("--generator", pipeline, "--num-inference-steps", 2, "--width", 64, "--height", 32)
    made = line.answer("generate", "--dataset", "toys", "--images-per-caption", 2, *settings)
    assert (made["generated"], made["failed"]) == (6, 0)
    answer = line.answer("select", "--dataset", "toys", "--name", "best", "--best-per-caption", "--guards", "off")
    assert (answer["total"], answer["kept"], answer["captions_kept"]) == (6, 3, 3)
    exported = line.answer("export", "--selection", "best", "--format", "llava", "--out", tmp_path / "out")
    assert exported["written"] == 3
    assert line.answer("validate", tmp_path / "out", "--format", "llava")["ok"] is True

    again = line.answer("generate", "--dataset", "toys", "--images-per-caption", 2, *settings)
    assert (again["generated"], again["skipped"]) == (0, 6)


def test_drafts_and_the_engine_are_reported(line: CommandLine) -> None:
    """No cosine exceeds 1: every caption is refused, but for those that are drawn to check."""
    pipeline = save_tiny_sd(line.workspace.parent / "drafted")
    settings = ("generate", "--dataset", "toys", "--generator", pipeline, "--num-inference-steps", 3, "--width", 32,
                "--height", 32, "--vae", "tiled", "--scorers", "clip")
    ran = line.run(*settings, "--draft-clip-min", 1, "--draft-num-inference-steps", 1, "--draft-audit", 0)
    assert (ran.answer["generated"], ran.answer["failed"], ran.answer["gated"]) == (0, 0, 3)
    cascade = ran.answer["cascade"]
    assert (cascade["drafted"], cascade["gated"], cascade["draft_num_inference_steps"]) == (3, 3, 1)
    assert ran.answer["engine"] == "float32, native attention, all parts on the device, VAE tiled"
    assert line.answer(*settings)["generated"] == 3, "what was refused can still be drawn"

    refused = line.run(*settings[:-1], "ssim", "--draft-clip-min", 0.2)
    assert refused.code == 2 and "Add clip" in refused.answer["error"]["fix"]
    assert line.run(*settings, "--attention", "quantum").code == 2


def test_a_size_the_pipeline_cannot_draw_is_refused_before_anything_is_queued(line: CommandLine) -> None:
    pipeline = save_tiny_sd(line.workspace.parent / "refusing")
    before = line.files()
    ran = line.run("generate", "--dataset", "toys", "--generator", pipeline, "--width", 33)
    assert ran.code == 2
    assert "multiple" in ran.answer["error"]["what"]
    assert line.files() == before


def test_a_pipeline_without_safetensors_is_refused(line: CommandLine) -> None:
    """Pickled weights could run code when they are loaded."""
    pipeline = save_tiny_sd(line.workspace.parent / "pickled")
    for weights in pipeline.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    before = line.files()
    ran = line.run("generate", "--dataset", "toys", "--generator", pipeline)
    assert ran.code == 2
    assert "safetensors" in ran.stderr
    assert json.loads(ran.stdout)["error"]["kind"] == "ModelUnavailable"
    assert line.files() == before
