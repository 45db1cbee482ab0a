"""Heads on stored embeddings: the arithmetic of a file, and one learnt from verdicts and scored with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from job_under_test import InlineContext
from safetensors.numpy import save_file
from small_workspace import fill

from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName, UnreadableFile
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.scoring import parse_scorers
from synthvlm_ui.scoring.embedding_head import head_bytes, load_head
from synthvlm_ui.service import Studio
from synthvlm_ui.service.scoring.head_job import run_head
from synthvlm_ui.service.scoring.score_job import run_score

CLIP = ScorerInfo("clip", ("clip_cosine",), {"model": "test"})


def test_an_mlp_is_its_matrices_in_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(1, 6)).astype(np.float32)
    bias = rng.normal(size=6).astype(np.float32)
    # Numbers sort as numbers: 10 comes after 2.
    save_file({"layers.10.weight": second, "layers.2.weight": first, "layers.2.bias": bias}, tmp_path / "a.safetensors",
              metadata={"activation": "relu", "final": "sigmoid"})
    head = load_head(tmp_path / "a.safetensors", "My Taste!")
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    normal = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = 1 / (1 + np.exp(-(np.maximum(normal @ first.T + bias, 0) @ second.T)[:, 0]))
    assert np.allclose(head.score(rows), expected, atol=1e-6)
    assert head.info.columns == ("head_my_taste",)
    rows[1] = np.nan
    assert np.isnan(head.score(rows)[1]) and np.isfinite(head.score(rows)[0])
    with pytest.raises(BadSetting, match="reads 4"):
        head.score(np.ones((2, 5)))


def test_files_that_are_no_heads_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"\0" * 9)
    with pytest.raises(UnreadableFile):
        load_head(tmp_path / "broken.safetensors")
    save_file({"layers.0.weight": np.ones((2, 4), np.float32)}, tmp_path / "two.safetensors")
    with pytest.raises(BadSetting, match="one number"):
        load_head(tmp_path / "two.safetensors")
    (tmp_path / "odd.safetensors").write_bytes(
        head_bytes([(np.ones((1, 4), np.float32), np.zeros(1, np.float32))], {"activation": "tanh"}))
    with pytest.raises(BadSetting, match="tanh"):
        load_head(tmp_path / "odd.safetensors")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """20 captions of 3 candidates; what is liked can be told from the first number of the embedding."""
    opened = Studio.open(tmp_path / "workspace")
    made = fill(opened, "toys", [f"caption {number}" for number in range(20)], 3)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(len(made), 6)).astype(np.float32)
    liked = rng.random(len(made)) < 0.5
    vectors[:, 0] = np.where(liked, 2.0, -2.0) + rng.normal(size=len(made)) * 0.3
    ids = [one.id for one in made]
    opened.workspace.scores.write("toys", "shard-1", CLIP, ids, {"clip_cosine": np.ones(len(ids), np.float32)}, vectors)
    opened.refresh()
    opened.workspace.columns.use_scorer("clip", CLIP.key)
    opened.curation.verdict([one for one, keep in zip(ids, liked, strict=True) if keep], "keep")
    opened.curation.verdict([one for one, keep in zip(ids, liked, strict=True) if not keep], "reject")
    yield opened
    opened.close()


def test_a_head_learns_what_was_liked_and_scores_with_it(studio: Studio) -> None:
    learnt = studio.heads.learn("toys", "taste")
    assert learnt["accuracy"] > 0.9 > learnt["majority"] and learnt["folds"] == 5
    config = {"dataset": "toys", "scorers": ["head:taste"], "clip_model": "miniature", "rescore": False}

    class NoEngines:
        def scorers(self, names: list[str], clip_model: str) -> list[object]:
            return []

    context = InlineContext(studio.workspace.root / "jobs" / "score", config)
    assert run_score(context, studio.workspace, NoEngines())["scored"] == 60  # type: ignore[arg-type]
    studio.refresh()
    columns = studio.workspace.columns
    assert ((columns.score("head_taste") > 0.5) == (columns.verdict > 0)).mean() > 0.95
    assert run_score(context, studio.workspace, NoEngines())["scored"] == 0  # type: ignore[arg-type]
    assert studio.heads.list()["heads"][0]["kept"] == str(learnt["kept"])
    kept = studio.curation.select("liked", studio.curation.rule("toys", where="head_taste >= 0.5", verdicts=False))
    assert 0 < kept["kept"] < 60


def test_learning_as_a_job_scores_at_once(studio: Studio) -> None:
    assert studio.heads.verdicts("toys")["least"] == 10
    context = InlineContext(studio.workspace.root / "jobs" / "head", {"dataset": "toys", "name": "taste", "seed": 0})
    result = run_head(context, studio.workspace)  # type: ignore[arg-type]
    assert (result["scored"], result["failed"], result["column"]) == (60, 0, "head_taste")
    shown = studio.heads.list()["heads"][0]
    assert float(shown["accuracy"]) == pytest.approx(result["accuracy"], abs=1e-4) and shown["learnt_from"] == "toys"
    studio.refresh()
    assert np.isfinite(studio.workspace.columns.score("head_taste")).all()
    rule = studio.curation.rule("toys", where="head_taste >= 0.5", verdicts=False)
    assert sum(studio.insight.histograms(rule, columns=["head_taste"])["head_taste"]["all"]) == 60


def test_labels_without_sense_are_not_learnt(studio: Studio) -> None:
    ids = studio.workspace.columns.ids_of(np.arange(60))
    studio.curation.verdict(ids, "clear")
    coin = np.random.default_rng(5).random(60) < 0.5
    studio.curation.verdict([one for one, keep in zip(ids, coin, strict=True) if keep], "keep")
    studio.curation.verdict([one for one, keep in zip(ids, coin, strict=True) if not keep], "reject")
    assert studio.heads.learn("toys", "coin")["accuracy"] < 0.7


def test_too_few_verdicts_and_unknown_heads(studio: Studio) -> None:
    ids = studio.workspace.columns.ids_of(np.arange(60))
    studio.curation.verdict(ids, "clear")
    studio.curation.verdict(ids[:3], "keep")
    with pytest.raises(EmptyInput, match="3 kept and 0 rejected"):
        studio.heads.learn("toys", "taste")
    with pytest.raises(EmptyInput, match="3 kept and 0 rejected"):
        studio.heads.start("toys", "taste")
    with pytest.raises(UnknownName):
        studio.heads.find("taste")
    with pytest.raises(BadSetting):
        studio.heads.learn("toys", "../taste")
    with pytest.raises(UnknownName):
        studio.scoring.start("toys", scorers=["head:taste"])


def test_names_with_a_colon_need_what_follows_it() -> None:
    assert parse_scorers("clip,vqascore:org/model,head:a,head:b") == ("clip", "vqascore:org/model", "head:a", "head:b")
    with pytest.raises(BadSetting, match="names no model"):
        parse_scorers("vqascore")
    with pytest.raises(BadSetting, match="twice"):
        parse_scorers("head:a,head:a")
