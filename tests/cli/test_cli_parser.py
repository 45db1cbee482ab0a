"""The grammar: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthvlm_ui.cli import build_parser, main
from synthvlm_ui.cli.generate import settings_of
from synthvlm_ui.records import GenerationSettings


@pytest.mark.parametrize("line", [
    ["--workspace", "w", "--json", "jobs", "list"],
    ["jobs", "list", "--workspace", "w", "--json"],
    ["jobs", "--json", "list", "--workspace", "w"],
    ["--json", "jobs", "list", "--workspace", "w"],
])
def test_workspace_and_json_stand_before_or_after_the_command(line: list[str]) -> None:
    options = build_parser().parse_args(line)
    assert options.workspace == Path("w")
    assert options.json is True


def test_generate_without_options_asks_for_the_generators_own_defaults() -> None:
    options = build_parser().parse_args(["generate", "--dataset", "d"])
    assert settings_of(options) == GenerationSettings(generator="miniature")


def test_every_generation_setting_can_be_given() -> None:
    options = build_parser().parse_args([
        "generate", "--prompt", "a cat", "--generator", "sdxl", "--images-per-caption", "3", "--seed", "7",
        "--num-inference-steps", "4", "--guidance-scale", "1.5", "--width", "512", "--height", "256",
        "--negative-prompt", "blur", "--prompt-template", "a photo of {caption}", "--batch-size", "2",
        "--chunk-images", "8", "--image-format", "png", "--device", "cpu",
    ])
    assert settings_of(options) == GenerationSettings(
        generator="sdxl", images_per_caption=3, seed=7, num_inference_steps=4, guidance_scale=1.5, width=512,
        height=256, negative_prompt="blur", prompt_template="a photo of {caption}", batch_size=2, chunk_images=8,
        image_format="png", device="cpu",
    )


def test_scorers_may_be_none_and_a_worker_is_a_share() -> None:
    options = build_parser().parse_args(["generate", "--dataset", "d", "--scorers", "none", "--worker", "1/4"])
    assert options.scorers == ()
    assert options.worker == "1/4"


@pytest.mark.parametrize("line", [
    [],
    ["nonsense"],
    ["jobs"],
    ["captions", "import", "f"],
    ["captions", "import", "f", "--dataset", "d", "--map", "words=text"],
    ["captions", "import", "f", "--dataset", "d", "--on-duplicate", "sometimes"],
    ["generate"],
    ["generate", "--dataset", "d", "--prompt", "p"],
    ["generate", "--dataset", "d", "--images-per-caption", "0"],
    ["generate", "--dataset", "d", "--seed", "-1"],
    ["generate", "--dataset", "d", "--seed", "many"],
    ["generate", "--dataset", "d", "--guidance-scale", "nan"],
    ["generate", "--dataset", "d", "--num-inference", "3"],
    ["select", "--dataset", "d", "--name", "s", "--top-k", "3", "--keep-ratio", "0.5"],
    ["select", "--dataset", "d", "--name", "s", "--keep-ratio", "0"],
    ["select", "--dataset", "d", "--name", "s", "--keep-ratio", "1.1"],
    ["verdict", "set", "keep"],
    ["verdict", "set", "maybe", "--ids", "a"],
    ["verdict", "set", "keep", "--ids", ","],
])
def test_a_line_that_does_not_parse_is_one_line_on_stderr_and_one_object(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", *line]) == 2
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("error: ")
    answer = json.loads(printed.out)
    assert answer["schema_version"] == 1
    assert set(answer["error"]) == {"kind", "what", "where", "fix"}
    assert answer["error"]["kind"] == "BadSetting"


def test_a_typing_error_needs_no_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = tmp_path / "new"
    assert main(["--workspace", str(workspace), "generate", "--dataset", "d", "--width", "wide"]) == 2
    assert not workspace.exists()
    assert capsys.readouterr().out == ""
