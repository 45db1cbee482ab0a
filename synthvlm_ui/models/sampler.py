"""Parallel decoding of masked tokens (MaskGIT, MUSE): cosine schedule, guidance, choice temperature.

Every image draws its noise from its own seed and goes through the network in blocks of a
fixed size, so its tokens depend on (text, seed, settings) and not on what stands beside it.
Knows nothing about pixels or training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthvlm_ui.models.language import EncodedText
from synthvlm_ui.models.masked_generator import MaskedGenerator


@dataclass(frozen=True)
class SamplerSettings:
    """How tokens are drawn.

    Attributes:
        steps: forward passes.
        guidance: classifier-free guidance scale; 1 uses the text alone.
        temperature: divides the logits.
        choice_temperature: how much noise decides which tokens are kept first, at the first
            step; it falls to zero at the last.
        block: images per forward pass; always this many, the last block is filled up.
    """

    steps: int = 8
    guidance: float = 3.0
    temperature: float = 0.8
    choice_temperature: float = 1.0
    block: int = 4


@torch.no_grad()
def sample(
    model: MaskedGenerator,
    text: EncodedText,
    empty: EncodedText,
    seeds: Sequence[int],
    settings: SamplerSettings | None = None,
) -> Tensor:
    """Token ids (N, tokens) int64 on the CPU, one row per text and seed.

    Args:
        text: N encoded texts.
        empty: one encoded empty (or negative) text, for guidance.
        seeds: N noise seeds.
    """
    settings = settings or SamplerSettings()
    rows = []
    for start in range(0, len(seeds), settings.block):
        chosen = [min(start + i, len(seeds) - 1) for i in range(settings.block)]
        block = EncodedText(text.states[chosen], text.mask[chosen], text.truncated[chosen])
        noise = [torch.Generator().manual_seed(int(seeds[i])) for i in chosen]
        rows.append(_sample_block(model, block, empty.repeat(settings.block), noise, settings))
    return torch.cat(rows)[: len(seeds)]


def mask_ratio(share: float) -> float:
    """Share of tokens still hidden after `share` of the steps: cosine, 1 -> 0."""
    return math.cos(math.pi / 2 * share)


def _sample_block(
    model: MaskedGenerator, text: EncodedText, empty: EncodedText,
    noise: list[torch.Generator], settings: SamplerSettings,
) -> Tensor:  # fmt: skip
    count = model.config.tokens
    tokens = torch.full((len(noise), count), model.config.mask_id)
    for step in range(settings.steps):
        hidden = tokens == model.config.mask_id
        logits = _guided(model, tokens, text, empty, settings.guidance) / settings.temperature
        chances = logits.softmax(-1)
        drawn = _draw(chances, torch.stack([torch.rand(count, generator=g) for g in noise]))
        sure = chances.gather(-1, drawn.unsqueeze(-1)).squeeze(-1).clamp_min(1e-9).log()
        share = (step + 1) / settings.steps
        gumbel = torch.stack([torch.rand(count, generator=g) for g in noise]).clamp(1e-9, 1 - 1e-7)
        sure = sure - settings.choice_temperature * (1 - share) * (-gumbel.log()).log()
        sure = sure.masked_fill(~hidden, math.inf)
        keep_hidden = min(int(count * mask_ratio(share)), int(hidden.sum(1).min()) - 1)
        tokens = torch.where(hidden, drawn, tokens)
        if keep_hidden > 0 and step + 1 < settings.steps:
            again = sure.argsort(dim=1, stable=True)[:, :keep_hidden]
            tokens.scatter_(1, again, model.config.mask_id)
    return tokens


def _guided(
    model: MaskedGenerator, tokens: Tensor, text: EncodedText, empty: EncodedText, guidance: float
) -> Tensor:
    """Logits (N, tokens, codes) float32 on the CPU; two passes in one when guidance is not 1."""
    device = text.states.device
    if guidance == 1:
        return model(tokens.to(device), text).float().cpu()
    both = EncodedText(
        torch.cat([text.states, empty.states]),
        torch.cat([text.mask, empty.mask]),
        torch.cat([text.truncated, empty.truncated]),
    )
    with_text, without = model(tokens.to(device).repeat(2, 1), both).float().cpu().chunk(2)
    return without + guidance * (with_text - without)


def _draw(chances: Tensor, uniform: Tensor) -> Tensor:
    """Inverse-CDF draw of one id per token: chances (N, T, C), uniform (N, T) -> (N, T).

    One uniform number per token instead of one per code: the noise of a picture is 256
    numbers a step.
    """
    below = chances.cumsum(-1) < (uniform * chances.sum(-1)).unsqueeze(-1)
    return below.sum(-1).clamp_max(chances.shape[-1] - 1)
