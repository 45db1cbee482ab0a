"""The generator network: folding, text conditioning, padding."""

from __future__ import annotations

import torch

from synthvlm_ui.models.language import EncodedText
from synthvlm_ui.models.masked_generator import MaskedGenerator


def test_folding_is_a_permutation_of_two_by_two_blocks(generator: MaskedGenerator) -> None:
    tokens = torch.arange(32).reshape(2, 16)
    folded = generator.fold(tokens)
    assert folded[0, 0].tolist() == [0, 1, 4, 5]
    assert torch.equal(generator.unfold(folded.unsqueeze(-1)).squeeze(-1), tokens)


def test_logits_answer_every_token(generator: MaskedGenerator, made_up_text) -> None:
    tokens = torch.full((3, 16), generator.config.mask_id)
    assert generator(tokens, made_up_text([1, 2, 3])).shape == (3, 16, 30)


def test_the_text_changes_the_logits_and_its_padding_does_not(generator: MaskedGenerator, made_up_text) -> None:
    tokens = torch.full((1, 16), generator.config.mask_id)
    text = made_up_text([1])
    changed = text.states.clone()
    changed[~text.mask] += 100
    padded = EncodedText(changed, text.mask, text.truncated)
    assert torch.equal(generator(tokens, text), generator(tokens, padded))
    assert not torch.allclose(generator(tokens, text), generator(tokens, made_up_text([2])))


def test_a_visible_token_changes_the_logits_of_the_others(generator: MaskedGenerator, made_up_text) -> None:
    tokens = torch.full((1, 16), generator.config.mask_id)
    shown = tokens.clone()
    shown[0, 0] = 7
    text = made_up_text([1])
    assert not torch.allclose(generator(tokens, text)[0, -1], generator(shown, text)[0, -1])
