"""VQAScore on a vision-language model of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_vlm import WORDS, save_tiny_vlm

from synthvlm_ui.backends import create_scorer, require_scorer
from synthvlm_ui.errors import ModelUnavailable, UnknownName


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vlm(tmp_path_factory.mktemp("vlm"))


def test_scores_are_probabilities_of_the_models_own_answer(directory: Path) -> None:
    import torch

    scorer = create_scorer(f"vqascore:{directory}", device="cpu")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (20, 24, 3)).astype(np.uint8) for _ in range(2)]
    found = scorer.score(images, ["a cat", "a dog"]).columns
    yes, ratio = found["vqascore"], found["vqascore_yes_no"]
    assert scorer.info.columns == ("vqascore", "vqascore_yes_no") and yes.dtype == np.float32
    assert ((0 < yes) & (yes < 1)).all() and ((0 < ratio) & (ratio < 1)).all()
    text = 'USER: <image>\nDoes this figure show "a cat"? Please answer yes or no. ASSISTANT:'
    inputs = scorer._processor(images=images[0], text=text, return_tensors="pt")  # type: ignore[attr-defined]
    with torch.inference_mode():
        logits = scorer._network(**inputs).logits[0, -1].float()  # type: ignore[attr-defined]
    expected = torch.softmax(logits, -1)[[WORDS.index("Yes"), WORDS.index("yes")]].sum()
    assert yes[0] == pytest.approx(float(expected), abs=1e-6)
    assert not np.array_equal(yes, scorer.score(images[::-1], ["a cat", "a dog"]).columns["vqascore"])


def test_what_it_depends_on_is_in_its_key(directory: Path, tmp_path: Path) -> None:
    scorer = create_scorer(f"vqascore:{directory}", device="cpu")
    assert {"model", "weights", "question", "precision"} <= set(scorer.info.settings)


def test_what_is_no_model_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="config"):
        require_scorer(f"vqascore:{tmp_path}")
    with pytest.raises(UnknownName, match="vqascore"):
        require_scorer("pickscore:x")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable):
        create_scorer(f"vqascore:{tmp_path}", device="cpu")
