"""Generator training on tokens of the user's tokenizer: the loss falls, resuming changes nothing, the parts draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from training_pairs import FewPairs, Watching

from synthvlm_ui.backends import create_generator
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import BadSetting, ModelUnavailable
from synthvlm_ui.models import storage
from synthvlm_ui.models.language import REFERENCE, load_language_model
from synthvlm_ui.records import GenerationRequest
from synthvlm_ui.training import Source, TrainRequest, parts
from synthvlm_ui.training.masked import draw_mask
from synthvlm_ui.training.recipes import train
from synthvlm_ui.training.tokens import EncodingStopped, TokenTable

PAIRS = FewPairs(8)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of the user's own, trained for a moment."""
    out = tmp_path_factory.mktemp("tokenizer")
    request = TrainRequest("synth2-vq", out, (Source("few", PAIRS),), parts=MINIATURE, configuration="tiny", steps=12,
                           batch_size=8)
    train(request, Watching())
    return out


def request(out: Path, tokenizer: Path, **changes: object) -> TrainRequest:
    settings = {"steps": 8, "batch_size": 8, "configuration": "tiny", "init_from": tokenizer, **changes}
    return TrainRequest("synth2-generator", out, (Source("few", PAIRS),), parts=MINIATURE, **settings)


def test_it_learns_and_its_directory_draws(tokenizer: Path, tmp_path: Path) -> None:
    watching = Watching()
    outcome = train(request(tmp_path, tokenizer, steps=30), watching)
    losses = list(watching.losses.values())
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3]) and outcome.finished
    assert "encoding pictures, 0 of 8" in watching.phases
    generator = create_generator(str(tmp_path), "cpu")
    info = generator.info
    assert (info.native_width_px, info.token_grid) == (32, (8, 8))
    asked = GenerationRequest("a red wall on a blue meadow", 1, 32, 32, 2, 3.0)
    (drawn,) = generator.generate([asked])
    assert isinstance(drawn, np.ndarray) and drawn.shape == (32, 32, 3)


def test_a_resumed_run_has_the_losses_of_an_unbroken_one(tokenizer: Path, tmp_path: Path) -> None:
    whole, first, second = Watching(), Watching(stop_after=3), Watching()
    done = train(request(tmp_path / "a", tokenizer), whole)
    train(request(tmp_path / "b", tokenizer), first)
    assert train(request(tmp_path / "b", tokenizer, resume=True), second) == done
    assert {**first.losses, **second.losses} == whole.losses
    a, b = (storage.load_generator(tmp_path / name / "generator").state_dict() for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_training_goes_on_from_a_finished_generator(tokenizer: Path, tmp_path: Path) -> None:
    train(request(tmp_path / "a", tokenizer, steps=30), Watching())
    again = Watching()
    train(request(tmp_path / "b", tmp_path / "a", configuration=None, steps=2), again)
    assert again.losses[1] < 5.4  # 5.55 nats are chance
    with pytest.raises(BadSetting, match="another tokenizer"):
        broken = tmp_path / "c"
        parts.copy_part(tmp_path / "a" / "generator", broken, "generator")
        train(request(tmp_path / "d", broken, configuration=None), Watching())


def test_without_a_tokenizer_to_start_from_the_embedded_one_is_taken(tmp_path: Path) -> None:
    train(request(tmp_path, tmp_path / "nothing", configuration="tiny", init_from=None, steps=1), Watching())
    assert storage.load_image_tokenizer(tmp_path / "vq").config.side == 64
    with pytest.raises(ModelUnavailable, match="no part 'vq'"):
        parts.find_part("vq", tmp_path / "run")


def test_encoding_goes_on_where_it_was(tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthvlm_ui.training.tokens._BATCH", 3)
    model = storage.load_image_tokenizer(tokenizer / "vq")
    table = TokenTable(tmp_path, {0: Source("few", PAIRS)}, model, "key")
    with pytest.raises(EncodingStopped):
        table.fill(lambda done, total: done >= 6)
    seen: list[int] = []
    again = TokenTable(tmp_path, {0: Source("few", PAIRS)}, model, "key")
    again.fill(lambda done, total: seen.append(done) or False)
    assert seen == [6] and len(list(tmp_path.iterdir())) == 1
    other = TokenTable(tmp_path, {0: Source("few", PAIRS)}, model, "other weights")
    other.fill(lambda done, total: False)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_large_language_model_is_named_and_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_LARGEST_COPY_BYTES", 1)
    parts.copy_language(MINIATURE / "lm", tmp_path)
    assert sorted(path.name for path in (tmp_path / "lm").iterdir()) == ["config.json", REFERENCE]
    assert load_language_model(tmp_path / "lm").tokenizer.encode("a red wall")


def test_any_causal_language_model_of_transformers_encodes(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(MINIATURE / "lm")
    tokenizer._tokenizer.post_processor = None  # like GPT-2's, which adds no start and no end
    GPT2LMHeadModel(GPT2Config(vocab_size=200, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    language = load_language_model(tmp_path, length=6)
    encoded = language.encode(["a red wall", ""])
    assert encoded.states.shape == (2, 6, 32) and encoded.mask.sum(1).tolist() == [3, 1]
    assert bool(encoded.states.isfinite().all())


def test_masks_hide_at_least_one_token_and_64_percent_on_average() -> None:
    hidden = draw_mask(np.random.default_rng(0), 3000, 64)
    assert int(hidden.sum(1).min()) >= 1
    assert float(hidden.float().mean()) == pytest.approx(2 / np.pi, abs=0.02)
