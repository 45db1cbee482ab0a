"""The picture tokenizer: shapes, patch order, ids and soft embeddings."""

from __future__ import annotations

import torch

from synthvlm_ui.models.vq_tokenizer import PictureTokenizer


def test_patches_go_back_where_they_came_from(tokenizer: PictureTokenizer) -> None:
    pictures = torch.rand(2, 16, 16, 3)
    assert torch.equal(tokenizer._from_patches(tokenizer._to_patches(pictures)), pictures)


def test_encoding_gives_one_id_per_patch_and_decoding_a_picture(tokenizer: PictureTokenizer) -> None:
    pixels = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    ids = tokenizer.encode(pixels)
    assert ids.shape == (3, 16) and 0 <= int(ids.min()) and int(ids.max()) < 1000
    decoded = tokenizer.decode(ids)
    assert decoded.shape == pixels.shape and decoded.dtype == torch.uint8


def test_decoding_ids_equals_the_forward_pass(tokenizer: PictureTokenizer) -> None:
    pixels = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    direct = tokenizer(pixels.float() / 127.5 - 1).detach()
    expected = ((direct + 1) * 127.5).round().clamp(0, 255)
    assert torch.allclose(tokenizer.decode(tokenizer.encode(pixels)).float(), expected, atol=1)


def test_the_codebook_holds_what_the_decoder_reads(tokenizer: PictureTokenizer) -> None:
    table = tokenizer.codebook()
    assert table.shape == (1000, 16)
    ids = torch.tensor([0, 17, 999])
    assert torch.allclose(table[ids], tokenizer.codebook_in(tokenizer.quantiser.from_ids(ids)))


def test_the_gradient_reaches_encoder_and_decoder(tokenizer: PictureTokenizer) -> None:
    tokenizer.train()(torch.rand(4, 16, 16, 3)).square().mean().backward()
    silent = [name for name, p in tokenizer.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias before a normalisation has no effect, hence no gradient beyond rounding.
    assert [name for name in silent if name != "to_code.bias"] == []
