"""The convolutional tokenizer: shapes, ids, the codebook's gradient, other sides, and its directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from synthvlm_ui.models import sizes, storage
from synthvlm_ui.models.vqgan import COMMITMENT, Codebook, VqGan, VqGanConfig


@pytest.fixture
def model() -> VqGan:
    torch.manual_seed(0)
    config = sizes.TOKENIZERS["tiny"]
    assert isinstance(config, VqGanConfig)
    return VqGan(replace(config, side=16, codes=32)).eval()


def test_a_picture_becomes_a_grid_of_ids_and_a_picture_again(model: VqGan) -> None:
    pixels = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    ids = model.encode(pixels)
    assert ids.shape == (3, 16) and 0 <= int(ids.min()) and int(ids.max()) < 32
    painted = model.decode(ids)
    direct = ((model(pixels.float() / 127.5 - 1).detach() + 1) * 127.5).round().clamp(0, 255)
    assert painted.dtype == torch.uint8 and torch.allclose(painted.float(), direct, atol=1)


def test_ids_are_the_nearest_codes() -> None:
    torch.manual_seed(1)
    book, vectors = Codebook(50, 6), torch.randn(4, 7, 6) / 50
    brute = torch.cdist(vectors.flatten(0, 1), book.table.detach()).argmin(1).view(4, 7)
    assert torch.equal(book.nearest(vectors), brute)


def test_the_gradient_passes_the_codebook_and_the_codebook_follows_the_vectors() -> None:
    torch.manual_seed(1)
    book, vectors = Codebook(8, 4), torch.randn(2, 5, 4, requires_grad=True)
    quantised, ids, loss = book(vectors)
    (table_part,) = torch.autograd.grad(loss, book.table, retain_graph=True)
    chosen = book.table.detach()[ids]
    pulled = torch.zeros_like(book.table).index_add_(0, ids.flatten(), (2 * (chosen - vectors) / 40).flatten(0, 1))
    assert torch.allclose(table_part, pulled.detach(), atol=1e-6)
    (committed,) = torch.autograd.grad(loss, vectors, retain_graph=True)
    assert torch.allclose(committed, COMMITMENT * 2 * (vectors - chosen).detach() / 40, atol=1e-6)
    (through,) = torch.autograd.grad(quantised.sum(), vectors)
    assert torch.equal(through, torch.ones_like(vectors))


def test_without_attention_any_side_that_the_stride_divides_goes_through(model: VqGan) -> None:
    assert model(torch.zeros(1, 24, 24, 3)).shape == (1, 24, 24, 3)


def test_it_comes_back_from_its_directory(model: VqGan, tmp_path: Path) -> None:
    storage.save_tokenizer(model, tmp_path)
    loaded = storage.load_image_tokenizer(tmp_path)
    assert isinstance(loaded, VqGan) and loaded.config == model.config
    assert torch.allclose(loaded.codebook(), model.codebook(), atol=1e-3)
