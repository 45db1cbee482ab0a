"""The table of trained parameters against the networks themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.models import sizes, storage, torchvision_ops
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.masked_generator import MaskedGenerator
from synthvlm_ui.models.vlm import TokenVlm
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer, TokenizerConfig
from synthvlm_ui.models.vqgan import VqGan, VqGanConfig
from synthvlm_ui.training import room_of_synth2
from synthvlm_ui.training.discriminator import PatchDiscriminator
from synthvlm_ui.training.room import TRAINED


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@pytest.mark.parametrize(("recipe", "name"), [pair for pair in TRAINED if pair[0] != "synth2-vlm"])
def test_tokenizers_and_generators(recipe: str, name: str) -> None:
    config = sizes.GENERATORS[name] if recipe == "synth2-generator" else sizes.TOKENIZERS[name]
    if isinstance(config, TokenizerConfig):
        found = count(PictureTokenizer(config)) + count(PatchDiscriminator())
    else:
        with torch.device("meta"):  # the papers' sizes, without their memory
            found = (count(VqGan(config)) + count(PatchDiscriminator()) if isinstance(config, VqGanConfig)
                     else count(MaskedGenerator(config)))
    assert TRAINED[recipe, name] == found


@pytest.mark.parametrize("name", ["tiny", "miniature"])
def test_a_vlm_around_the_shipped_parts(name: str) -> None:
    torchvision_ops.ensure_importable()
    tokenizer, language = storage.load_image_tokenizer(MINIATURE / "vq"), load_language_model(MINIATURE / "lm")
    codebook, tokens = tokenizer.codebook(), tokenizer.config.tokens
    config = replace(sizes.VLMS[name], tokens=tokens, codes=len(codebook), code_width=codebook.shape[1])
    trained = count(TokenVlm(language, codebook, config))
    assert TRAINED["synth2-vlm", name] == pytest.approx(trained, rel=0.02)
    room = room_of_synth2("synth2-tokens", name, None, MINIATURE / "lm")
    assert room is not None and room.memory_bytes > 20 * room.trained
    assert room.frozen == sum(parameter.numel() for parameter in language.network.parameters())


def test_fine_tuning_counts_what_it_starts_from() -> None:
    shipped = room_of_synth2("synth2-tokens", "finetune", MINIATURE, MINIATURE / "lm")
    assert shipped is not None and shipped.trained > 10**6
    assert room_of_synth2("synth2-tokens", "finetune", None, None) is None
