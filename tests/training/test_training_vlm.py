"""VLM training: from tokens, from pixels, from both, and from tokens drawn on the fly; resuming changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from training_pairs import FewPairs, Watching

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.models import storage
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.vlm import load_vlm
from synthvlm_ui.training import Source, TrainRequest
from synthvlm_ui.training.captioning import caption_ids
from synthvlm_ui.training.recipes import train

REAL = Source("real", FewPairs(6, side=64, key="real"), 1.0)
SYNTHETIC = Source("synthetic", FewPairs(6, side=64, key="synthetic"), 1.0, synthetic=True)


def request(out: Path, sources: tuple[Source, ...] = (SYNTHETIC,), **changes: object) -> TrainRequest:
    settings = {"recipe": "synth2-tokens", "steps": 4, "batch_size": 4, "configuration": "tiny", **changes}
    return TrainRequest(out=out, sources=sources, parts=MINIATURE, **settings)


def test_it_learns_captions_and_only_the_added_part_moves(tmp_path: Path) -> None:
    watching = Watching()
    train(request(tmp_path, steps=25), watching)
    losses = list(watching.losses.values())
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:3])
    language = load_language_model(tmp_path / "lm")
    model = load_vlm(tmp_path / "vlm", language)
    before = load_language_model(MINIATURE / "lm").network.state_dict()
    kept = model.decoder.state_dict()
    assert all(torch.equal(kept[name], before[name]) for name in before)
    tokens = storage.load_image_tokenizer(tmp_path / "vq").encode(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    assert isinstance(model.caption(tokens)[0], str)


def test_tokens_and_pixels_give_the_same_losses(tmp_path: Path) -> None:
    tokens, pixels = Watching(), Watching()
    train(request(tmp_path / "a"), tokens)
    train(request(tmp_path / "b", recipe="synth2-pixels"), pixels)
    assert tokens.losses == pixels.losses
    assert list((tmp_path / "a" / "run" / "tokens").iterdir()) and not (tmp_path / "b" / "run" / "tokens").exists()


def test_real_pixels_and_synthetic_tokens_in_one_run(tmp_path: Path) -> None:
    mixed = Watching()
    outcome = train(request(tmp_path, (REAL, SYNTHETIC), steps=3), mixed)
    assert outcome.finished
    (table,) = (tmp_path / "run" / "tokens").iterdir()
    assert table.stat().st_size == 6 * 256 * 2  # of the synthetic pairs alone


def test_tokens_drawn_on_the_fly_differ_each_time_a_caption_comes(tmp_path: Path) -> None:
    whole, first, second = Watching(), Watching(stop_after=1), Watching()
    one = Source("one", FewPairs(1), synthetic=True)
    wanted = {"on_the_fly": True, "steps": 2, "batch_size": 1, "learning_rate": 1e-9}
    train(request(tmp_path / "a", (one,), **wanted), whole)
    assert whole.losses[1] != whole.losses[2]
    train(request(tmp_path / "b", (one,), **wanted), first)
    train(request(tmp_path / "b", (one,), resume=True, **wanted), second)
    assert {**first.losses, **second.losses} == whole.losses
    assert not (tmp_path / "a" / "run" / "tokens").exists()


def test_a_resumed_run_has_the_losses_of_an_unbroken_one(tmp_path: Path) -> None:
    whole, first, second = Watching(), Watching(stop_after=2), Watching()
    done = train(request(tmp_path / "a"), whole)
    train(request(tmp_path / "b"), first)
    assert train(request(tmp_path / "b", resume=True), second) == done
    assert {**first.losses, **second.losses} == whole.losses


@pytest.mark.slow
def test_fine_tuning_goes_on_with_dropout(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="no VLM to fine-tune"):
        train(request(tmp_path / "b", configuration="finetune"), Watching())
    train(request(tmp_path / "a", steps=25), Watching())
    tuned = request(tmp_path / "b", configuration="finetune", init_from=tmp_path / "a", steps=2)
    assert (tuned.preset().learning_rate, tuned.preset().dropout) == (1e-5, 0.1)
    later = Watching()
    train(tuned, later)
    assert later.losses[1] < 4  # 5.03 nats are chance
    before, after = (storage.read(tmp_path / name / "vlm", "token-vlm")[1] for name in "ab")
    assert before.keys() == after.keys() and any(not torch.equal(before[n], after[n]) for n in before)


def test_captions_end_with_the_end_token_and_are_cut_before_it() -> None:
    tokenizer = load_language_model(MINIATURE / "lm").tokenizer
    ids, lengths = caption_ids(tokenizer, ["a red wall", "a " * 50], 8)
    assert lengths.tolist() == [5, 8]
    assert ids[0, 0] == tokenizer.bos_token_id and ids[0, 4] == ids[1, 7] == tokenizer.eos_token_id
