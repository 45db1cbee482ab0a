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
from torch.nn import functional

from synthvlm_ui.models.language import EncodedText
from synthvlm_ui.models.masked_generator import MaskedGenerator, TextPrefix


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
    codes, order = model.code_out(), model.folded_order()
    blank = model.read_text(empty)
    rows = []
    for start in range(0, len(seeds), settings.block):
        chosen = [min(start + i, len(seeds) - 1) for i in range(settings.block)]
        prefix = model.read_text(EncodedText(text.states[chosen], text.mask[chosen], text.truncated[chosen]))
        if settings.guidance != 1:
            prefix = prefix.with_empty(blank)
        noise = [torch.Generator().manual_seed(int(seeds[i])) for i in chosen]
        rows.append(_sample_block(model, _Reading(prefix, codes, order, settings.guidance), noise, settings).cpu())
    return torch.cat(rows)[: len(seeds)]


def mask_ratio(share: float) -> float:
    """Share of tokens still hidden after `share` of the steps: cosine, 1 -> 0."""
    return math.cos(math.pi / 2 * share)


@dataclass(frozen=True)
class _Reading:
    """What stays the same over the steps of one block: the texts as read, and the table of codes."""

    prefix: TextPrefix
    codes: Tensor
    order: Tensor
    guidance: float


def _sample_block(
    model: MaskedGenerator, reading: _Reading, noise: list[torch.Generator], settings: SamplerSettings
) -> Tensor:
    """Every row has the same number of hidden tokens at every step; only those are looked at."""
    count, device = model.config.tokens, reading.codes.device
    tokens = torch.full((len(noise), count), model.config.mask_id, device=device)
    hidden = torch.arange(count, device=device).expand(len(noise), -1)
    for step in range(settings.steps):
        uniform, gumbel = _noise(noise, count, device)
        logits = _guided(model, reading, tokens, hidden) / settings.temperature
        drawn, sure = _draw(logits, uniform.gather(1, hidden))
        share = (step + 1) / settings.steps
        sure = sure - settings.choice_temperature * (1 - share) * gumbel.gather(1, hidden)
        tokens.scatter_(1, hidden, drawn)
        still = min(int(count * mask_ratio(share)), hidden.shape[1] - 1)
        if still <= 0 or step + 1 == settings.steps:
            break
        again = sure.argsort(dim=1, stable=True)[:, :still].sort(1).values
        hidden = hidden.gather(1, again)
        tokens.scatter_(1, hidden, model.config.mask_id)
    return tokens


def _noise(noise: list[torch.Generator], count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Uniform and negative Gumbel numbers (N, tokens) of one step, from each picture's own generator."""
    uniform, choice = (torch.stack(rows) for rows in zip(*(_pair(g, count) for g in noise), strict=True))
    return uniform.to(device), (-choice.clamp(1e-9, 1 - 1e-7).log()).log().to(device)


def _pair(noise: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    return torch.rand(count, generator=noise), torch.rand(count, generator=noise)


def _guided(model: MaskedGenerator, reading: _Reading, tokens: Tensor, hidden: Tensor) -> Tensor:
    """Logits (N, hidden, codes) float32 of the hidden tokens; one pass with and without text.

    Logits are linear in the last states, so guidance is applied to the states: half the logits.
    """
    if reading.guidance == 1:
        states = model.states_under(tokens, reading.prefix)
    else:
        with_text, without = model.states_under(tokens.repeat(2, 1), reading.prefix).chunk(2)
        states = torch.lerp(without, with_text, reading.guidance)
    where = reading.order[hidden].unsqueeze(-1).expand(-1, -1, states.shape[-1])
    return functional.linear(states.flatten(1, 2).gather(1, where), reading.codes, model.code_bias).float()


def _draw(logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse-CDF draw of one id per token and the logarithm of its chance.

    One uniform number per token instead of one per code: the noise of a picture is 256
    numbers a step.

    Args:
        logits: (N, T, codes); uniform: (N, T) in [0, 1).

    Returns:
        ids (N, T) int64 and log chances (N, T), at least log(1e-9).
    """
    lower = logits - logits.amax(-1, keepdim=True)
    below = lower.exp().cumsum(-1)
    total = below[..., -1:]
    ids = torch.searchsorted(below, uniform.unsqueeze(-1) * total).clamp_max(logits.shape[-1] - 1)
    chance = lower.gather(-1, ids) - total.log()
    return ids.squeeze(-1), chance.squeeze(-1).clamp_min(math.log(1e-9))
