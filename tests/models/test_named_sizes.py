"""The papers' sizes: built on the meta device, with the parameter counts that their tables imply."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from synthvlm_ui.models import sizes, torchvision_ops
from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.masked_generator import MaskedGenerator
from synthvlm_ui.models.vlm import TokenVlm
from synthvlm_ui.models.vq_tokenizer import TokenizerConfig
from synthvlm_ui.models.vqgan import VqGan, VqGanConfig


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def conv(kernel: int, width_in: int, width_out: int) -> int:
    return kernel**2 * width_in * width_out + width_out


def residual(width_in: int, width_out: int) -> int:
    skip = 0 if width_in == width_out else conv(1, width_in, width_out)
    return 2 * width_in + conv(3, width_in, width_out) + 2 * width_out + conv(3, width_out, width_out) + skip


def encoder_by_hand() -> int:
    """128, 128, 256, 256, 512 channels, two blocks each, four strided convolutions, a middle of two blocks."""
    blocks = (2 * residual(128, 128) + 2 * residual(128, 128) + residual(128, 256) + residual(256, 256)
              + 2 * residual(256, 256) + residual(256, 512) + residual(512, 512))
    down = conv(3, 128, 128) * 2 + conv(3, 256, 256) * 2
    return conv(3, 3, 128) + blocks + down + 2 * residual(512, 512) + 2 * 512 + conv(3, 512, 512)


def decoder_by_hand(base: int, blocks: int) -> int:
    widths = [4 * base, 2 * base, 2 * base, base, base]
    total, width = 2 * residual(4 * base, 4 * base), 4 * base
    for narrower in widths:
        total += residual(width, narrower) + (blocks - 1) * residual(narrower, narrower)
        width = narrower
    ups = sum(conv(3, width, width) for width in widths[:-1])
    return total + ups + 2 * base + conv(3, base, 3)


@pytest.mark.parametrize(
    ("name", "base", "blocks", "stated"), [("paper", 128, 2, 59_070_851), ("paper-decoder", 256, 4, 208_682_755)]
)
def test_the_vq_gan_of_table_6(name: str, base: int, blocks: int, stated: int) -> None:
    config = sizes.TOKENIZERS[name]
    assert isinstance(config, VqGanConfig) and (config.codes, config.grid, config.tokens) == (8192, 16, 256)
    with torch.device("meta"):
        model = VqGan(config)
    assert count(model.encoder) == encoder_by_hand()
    assert count(model.decoder) == decoder_by_hand(base, blocks)
    codes = 8192 * 256 + conv(1, 512, 256) + conv(1, 256, 4 * base)
    assert count(model) == encoder_by_hand() + decoder_by_hand(base, blocks) + codes == stated
    assert not [module for module in model.modules() if "Attention" in type(module).__name__]


def test_the_generator_of_a_1_3() -> None:
    config = sizes.GENERATORS["paper"]
    with torch.device("meta"):
        model = MaskedGenerator(config)
    width, linear = 768, lambda a, b: a * b + b
    block = 2 * 2 * width + linear(width, 3 * width) + linear(width, 2 * width) + linear(width, width) + (
        linear(width, 3072) + linear(3072, width))
    text = (linear(2048, width) + 2 * width + 64 * width  # into the width, normalised, with positions
            + 2 * 2 * width + linear(width, 3 * width) + linear(width, width)
            + linear(width, 2 * width) + linear(2 * width, width))
    tokens = 8192 * width + width + linear(width, width) + 256 * width
    out = 2 * width + linear(width, width) + 8192 * width + 8192
    assert count(model) == 12 * block + text + tokens + out == 119_551_232
    assert config.dropout == 0.1 and config.activation == "gelu" and config.heads == 12


def test_the_vlm_of_a_1_4() -> None:
    torchvision_ops.ensure_importable()
    from transformers import AutoModelForCausalLM

    config, codebook = sizes.VLMS["paper"], torch.empty(8192, 256, device="meta")
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(sizes.paper_language_config())
        model = TokenVlm(LanguageModel(network, tokenizer=None), codebook, config)
    # Six layers of (four projections, an MLP of four times the width, three norms), 64 latents, a last norm.
    resampler = 6 * (4 * 1024**2 + 2 * 1024 * 4096 + 3 * 2 * 1024) + 64 * 1024 + 2 * 1024
    assert count(model.decoder.model.perceiver_resampler) == resampler == 75_601_920
    # Before each of the 24 layers: four projections, the language model's own kind of MLP, two norms, two gates.
    gated = 24 * (4 * 1024**2 + 3 * 1024 * 2816 + 2 * 1024 + 2)
    assert count(model.decoder.model.gated_cross_attn_layers) == gated == 308_330_544
    assert count(network) == 373_867_520
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert trained == resampler + gated + conv(1, 256, 1024) + 256 * 1024 == 384_457_776


@pytest.mark.parametrize("name", ["tiny", "miniature"])
def test_a_small_configuration_fits_its_own_parts(name: str) -> None:
    tokenizer, generator, vlm = sizes.TOKENIZERS[name], sizes.GENERATORS[name], sizes.VLMS[name]
    assert generator.levels == tokenizer.digits and generator.grid == tokenizer.grid
    assert vlm.tokens == tokenizer.tokens and vlm.codes == math.prod(tokenizer.digits)
    width = tokenizer.decoder_width if isinstance(tokenizer, TokenizerConfig) else tokenizer.code_width
    assert vlm.code_width == width
