"""The VLM: with closed gates it is the frozen language model, and only what was added learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.vlm import TokenVlm, VlmConfig, load_vlm, save_vlm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SIZES = VlmConfig(tokens=16, codes=30, code_width=8, width=16, latents=4, depth=1, heads=2, head_width=8)


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    torchvision_ops.ensure_importable()
    from transformers import LlamaConfig, LlamaForCausalLM

    from synthvlm_ui.miniature.tokens import build_tokenizer

    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, pad_token_id=0, bos_token_id=1, eos_token_id=2, tie_word_embeddings=True,
    )  # fmt: skip
    return LanguageModel(LlamaForCausalLM(config), tokenizer, length=12)


@pytest.fixture
def vlm(language: LanguageModel) -> TokenVlm:
    torch.manual_seed(1)
    return TokenVlm(language, torch.randn(30, 8), SIZES)


def test_closed_gates_give_the_logits_of_the_language_model(vlm: TokenVlm, language: LanguageModel) -> None:
    ids, mask, _ = language.tokenize(["a red apple", "two stars in a night sky"])
    tokens = torch.randint(0, 30, (2, 16))
    expected = language.network(input_ids=ids, attention_mask=mask.long(), use_cache=False).logits
    got = vlm.eval()(ids, mask, tokens)
    assert torch.allclose(got[mask], expected[mask], atol=1e-5)


def test_only_the_added_parts_learn(vlm: TokenVlm, language: LanguageModel) -> None:
    ids, mask, _ = language.tokenize(["a red apple"])
    vlm.train()(ids, mask, torch.randint(0, 30, (1, 16))).square().mean().backward()
    learning = {name for name, parameter in vlm.named_parameters() if parameter.grad is not None}
    added = ("cross_attn", "resampler", "project", "position")
    assert learning and all(any(part in name for part in added) for name in learning)
    frozen = {f"decoder.{name}" for name in language.network.state_dict()}
    assert not learning & frozen


def test_opened_gates_let_the_picture_speak(vlm: TokenVlm, language: LanguageModel) -> None:
    ids, mask, _ = language.tokenize(["a red apple"])
    with torch.no_grad():
        for name, parameter in vlm.named_parameters():
            if "alpha" in name:
                parameter.fill_(1.0)
    one, other = (vlm.eval()(ids, mask, torch.full((1, 16), code)) for code in (3, 4))
    assert not torch.allclose(one, other)


def test_a_vlm_comes_back_from_disk(vlm: TokenVlm, language: LanguageModel, tmp_path: Path) -> None:
    save_vlm(vlm.eval(), tmp_path)
    loaded = load_vlm(tmp_path, language)
    tokens = torch.randint(0, 30, (2, 16))
    assert loaded.caption(tokens) == vlm.caption(tokens)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
