"""The line that a tab shows is a line that the command line takes, and it asks for the same thing."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthvlm_ui.cli import build_parser
from synthvlm_ui.cli.export import request_of
from synthvlm_ui.cli.generate import settings_of
from synthvlm_ui.records import GenerationSettings, SelectionRule
from synthvlm_ui.service import Studio
from synthvlm_ui.service.export.export_desk import ExportRequest


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio.open(tmp_path_factory.mktemp("parity") / "work space")
    yield studio
    studio.close()


def parsed(line: str, studio: Studio) -> argparse.Namespace:
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "synthvlm_ui"]
    options = build_parser().parse_args(words[3:])
    assert Path(options.workspace) == studio.workspace.root
    return options


def test_generate(studio: Studio) -> None:
    settings = GenerationSettings("some/model", 3, 7, 20, 1.5, 512, 256, "blur, text", "a photo of {caption}", 2, 8,
                                  "png", "cuda:1")
    options = parsed(studio.generation.command(settings, dataset="toys"), studio)
    assert (settings_of(options), options.dataset) == (settings, "toys")
    options = parsed(studio.generation.command(GenerationSettings("miniature"), prompt="it's a \"duck\""), studio)
    assert options.prompt == "it's a \"duck\""


def test_select(studio: Studio) -> None:
    rule = SelectionRule("toys", ssim_weight=0.25, clip_min=0.2, ssim_min=-0.5, combined_min=0.3,
                         where="seed > 3 and ssim < 0.9", top_k=10, best_per_caption=True, drop_duplicates=True,
                         guards=False, random=True, seed=4)
    options = parsed(studio.curation.command(rule, "best"), studio)
    for field in ("dataset", "ssim_weight", "clip_min", "ssim_min", "combined_min", "where", "top_k",
                  "best_per_caption", "drop_duplicates", "random", "seed"):
        assert getattr(options, field) == getattr(rule, field), field
    assert (options.guards, options.name) == ("off", "best")
    assert parsed(studio.curation.command(SelectionRule("toys", keep_ratio=0.4), "best"), studio).keep_ratio == 0.4


def test_captions_score_and_export(studio: Studio) -> None:
    options = parsed(studio.captions.command("my file.jsonl", "toys", "error"), studio)
    assert (options.file, options.dataset, options.on_duplicate) == (Path("my file.jsonl"), "toys", "error")
    assert parsed(studio.scoring.command("toys", ("clip", "ssim")), studio).scorers == ("clip", "ssim")
    settings = {"validation": 0.1, "image_format": "jpeg", "image_quality": 80, "size_px": 336, "fit": "crop",
                "shard_pairs": 500, "repeats": 2, "seed": 3}
    request = ExportRequest("best", "webdataset", "out here", rejects=True, overwrite=True, options=settings)
    assert request_of(parsed(studio.exports.command(request), studio)) == request
