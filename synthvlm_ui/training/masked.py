"""Trains the masked-token generator on the tokens and captions of the user's own pairs (Synth2 3.2.1, A.1.2, A.1.3).

The frozen language model encodes the captions; a tenth of them is left out, so that guidance has something to compare
with. Knows no pixels: tokens come from a table.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.masked_generator import MaskedGenerator
from synthvlm_ui.models.storage import save_generator
from synthvlm_ui.training.optimisers import load_state, prefixed, set_rate, state_tensors, unprefixed
from synthvlm_ui.training.pairs import Mixture
from synthvlm_ui.training.parts import replacing_part
from synthvlm_ui.training.presets import Preset
from synthvlm_ui.training.schedule import scale_at
from synthvlm_ui.training.tokens import TokenTable


class MaskedTraining:
    """The recipe ``synth2-generator``.

    Args: ``out`` gets the part ``generator``: the running mean of the weights, which draws better than the last ones.
    """

    def __init__(self, model: MaskedGenerator, language: LanguageModel, mixture: Mixture, tokens: TokenTable,
                 preset: Preset, out: Path, *, seed: int = 0) -> None:
        self.language, self.mixture, self.tokens, self.preset, self.out = language, mixture, tokens, preset, out
        self.steps, self.seed = preset.steps, seed
        self.model = model.train().requires_grad_(True)
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        matrices = [p for p in model.parameters() if p.ndim > 1]
        rest = [p for p in model.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": preset.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, preset.learning_rate, preset.betas)

    def step(self, step: int) -> dict[str, float]:
        """Trains on the pairs of this step; the loss is in nats per hidden token."""
        draws = self.mixture.draw(step)
        rng = np.random.default_rng([self.seed, 24, step])
        captions = [self.mixture.caption(draw) for draw in draws]
        captions = ["" if rng.random() < self.preset.caption_dropout else caption for caption in captions]
        ids = self.tokens.rows(draws)
        hidden = draw_mask(rng, *ids.shape)
        loss = masked_loss(self.model, self.language, captions, ids, hidden)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.preset.gradient_clip)
        rate = self.preset.learning_rate * scale_at(step, self.steps, self.preset.warmup_share, self.preset.cosine)
        set_rate(self.optimiser, rate)
        self.optimiser.step()
        self._follow(min(self.preset.average_decay, (1 + step) / (10 + step)))
        return {"loss": float(loss.detach()), "hidden": float(hidden.float().mean()), "learning_rate": rate}

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for mean, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)

    def tensors(self) -> dict[str, Tensor]:
        """Weights, their running mean, and the optimiser."""
        return (prefixed("model", self.model) | prefixed("average", self.average)
                | state_tensors("optimiser", self.optimiser))

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Inverse of ``tensors``."""
        self.model.load_state_dict(unprefixed("model", tensors))
        self.average.load_state_dict(unprefixed("average", tensors))
        load_state("optimiser", self.optimiser, tensors)

    def export(self) -> None:
        """Writes the part ``generator``."""
        with replacing_part(self.out, "generator") as folder:
            save_generator(self.average, folder)


def draw_mask(rng: np.random.Generator, count: int, tokens: int) -> Tensor:
    """Which tokens are hidden, (count, tokens) bool: a cosine-distributed share (0.64 on average), at least one."""
    shares = np.cos(rng.random(count) * math.pi / 2)
    hidden = np.maximum(1, np.round(shares * tokens))
    order = rng.random((count, tokens)).argsort(1).argsort(1)
    return torch.from_numpy(order < hidden[:, None])


def masked_loss(model: MaskedGenerator, language: LanguageModel, captions: list[str], ids: Tensor,
                hidden: Tensor) -> Tensor:
    """Mean cross entropy of the hidden tokens: ids (N, tokens) int64, hidden (N, tokens) bool."""
    device = model.position.device
    ids, hidden = ids.to(device), hidden.to(device)
    states = model.corner_states(ids.masked_fill(hidden, model.config.mask_id), language.encode(captions))
    where = model.fold(hidden)
    return functional.cross_entropy(model.logits(states[where]), model.fold(ids)[where])
