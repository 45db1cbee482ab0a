"""Tiny networks with random weights, built in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from synthvlm_ui.models.language import EncodedText
from synthvlm_ui.models.masked_generator import GeneratorConfig, MaskedGenerator
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer, TokenizerConfig


@pytest.fixture
def tokenizer() -> PictureTokenizer:
    torch.manual_seed(0)
    config = TokenizerConfig(side=16, patch=4, width=16, decoder_width=16, encoder_blocks=1, decoder_blocks=1)
    model = PictureTokenizer(config).train()
    model(torch.rand(8, 16, 16, 3) * 2 - 1)  # gives the normalisation its statistics
    return model.eval()


@pytest.fixture
def generator() -> MaskedGenerator:
    torch.manual_seed(0)
    config = GeneratorConfig(
        levels=(5, 3, 2), grid=4, width=32, code_width=16, layers=2, heads=2, text_width=6, text_length=5
    )
    model = MaskedGenerator(config)
    for parameter in model.parameters():  # zero-initialised layers would hide mistakes
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


TextMaker = Callable[[Sequence[int]], EncodedText]


@pytest.fixture
def made_up_text() -> TextMaker:
    return _states_of


def _states_of(numbers: Sequence[int], length: int = 5, width: int = 6) -> EncodedText:
    """Made-up text states; equal numbers give equal states, and lengths differ."""
    rows = [torch.randn(length, width, generator=torch.Generator().manual_seed(n)) for n in numbers]
    mask = torch.stack([torch.arange(length) < 2 + n % (length - 1) for n in numbers])
    return EncodedText(torch.stack(rows), mask, torch.zeros(len(rows), dtype=torch.bool))
