"""Parts on disk: what is written comes back, and wrong directories say so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.models import storage
from synthvlm_ui.models.masked_generator import MaskedGenerator
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer


def test_a_tokenizer_comes_back_with_its_codebook(tokenizer: PictureTokenizer, tmp_path: Path) -> None:
    storage.save_tokenizer(tokenizer, tmp_path)
    loaded = storage.load_tokenizer(tmp_path)
    assert loaded.config == tokenizer.config
    pixels = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    assert (loaded.encode(pixels) == tokenizer.encode(pixels)).float().mean() > 0.9  # weights are rounded to fp16
    table = load_file(tmp_path / "model.safetensors")["codebook"]
    assert table.dtype == torch.float16 and table.shape == (1000, 16)
    assert torch.allclose(table.float(), tokenizer.codebook(), atol=2e-2)


def test_a_generator_comes_back_frozen(generator: MaskedGenerator, tmp_path: Path) -> None:
    storage.save_generator(generator, tmp_path)
    loaded = storage.load_generator(tmp_path)
    assert loaded.config == generator.config and not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_an_empty_directory_and_another_kind_are_refused(generator: MaskedGenerator, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no picture-tokenizer here"):
        storage.load_tokenizer(tmp_path)
    storage.save_generator(generator, tmp_path)
    with pytest.raises(ModelUnavailable, match="not a picture-tokenizer"):
        storage.load_tokenizer(tmp_path)
