"""Trains the picture tokenizer on the pictures of world-real.

Knows nothing about captions. Reconstruction only (L1, squared error, gradients, objects
weighted three times): no perceptual or adversarial term, which two CPU cores cannot pay for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synthvlm_ui.miniature.corpora import WORLD_REAL
from synthvlm_ui.miniature.drawing import draw, foreground
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.models import storage
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer, TokenizerConfig

OBJECT_WEIGHT = 3.0
ENCODER = ("patch_in.", "encoder.", "to_code.", "spread.")  # what decides the codes


class TokenizerRecipe:
    """Autoencoder training of the shipped tokenizer.

    Args:
        seed: of weights and of the order of the pictures.
        steps: optimiser updates.
        batch: pictures per step.
    """

    name = "vq"

    def __init__(
        self, seed: int = 0, steps: int = 1400, batch: int = 96, device: str = "cpu",
        config: TokenizerConfig | None = None,
    ) -> None:  # fmt: skip
        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        torch.manual_seed(seed)
        self.model = PictureTokenizer(config or TokenizerConfig()).to(device).train()
        self.optimiser = SplitOptimiser(self.model, ("rise.weight", "fall.weight"), adam_lr=2e-3)

    def step(self, step: int) -> float:
        """Train on the pictures of this step number; returns the weighted loss."""
        rng = np.random.default_rng([self.seed, 12, step])
        pictures, weight = picture_batch(rng, self.batch)
        pictures, weight = pictures.to(self.device), weight.to(self.device)
        return self._update(step, reconstruction_loss(self.model(pictures), pictures, weight))

    def _update(self, step: int, loss: Tensor) -> float:
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step(warm_then_cool(step, self.steps, 50, 0.5))
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Weights and optimiser."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def export(self, out: Path) -> None:
        """config.json and fp16 weights, with the table of soft embeddings."""
        storage.save_tokenizer(self.model, out)


class DecoderRecipe(TokenizerRecipe):
    """Trains a larger decoder for the codes of a finished tokenizer; the codes stay what they are.

    Part of the codes is replaced at random, so that the decoder learns to paint the picture
    that the neighbours suggest: generated tokens are never all right.

    Args:
        assets: directory that holds the trained `vq`.
        width, blocks: sizes of the new decoder.
        wrong: share of codes replaced.
    """

    name = "decoder"

    def __init__(
        self, assets: Path, seed: int = 0, steps: int = 1500, batch: int = 64, device: str = "cpu",
        width: int = 128, blocks: int = 5, wrong: float = 0.02,
    ) -> None:  # fmt: skip
        finished = storage.load_tokenizer(assets / "vq")
        config = replace(finished.config, decoder_width=width, decoder_blocks=blocks)
        super().__init__(seed, steps, batch, device, config)
        kept = {k: v for k, v in finished.state_dict().items() if k.startswith(ENCODER)}
        self.model.load_state_dict(kept, strict=False)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not name.startswith(ENCODER))
        self.model.spread.eval()
        self.wrong = wrong
        self.optimiser = SplitOptimiser(self.model, ("rise.weight", "fall.weight"), adam_lr=2e-3)

    def step(self, step: int) -> float:
        """Train the decoder on the pictures of this step number; returns the weighted loss."""
        rng = np.random.default_rng([self.seed, 15, step])
        pictures, weight = picture_batch(rng, self.batch)
        pictures, weight = pictures.to(self.device), weight.to(self.device)
        with torch.no_grad():
            codes = self.model.quantise(pictures)
            size = codes.shape[:2]
            ids = torch.from_numpy(rng.integers(0, self.model.quantiser.size, size)).to(self.device)
            wrong = torch.from_numpy(rng.random(size) < self.wrong).unsqueeze(-1).to(self.device)
            codes = torch.where(wrong, self.model.quantiser.from_ids(ids), codes)
        return self._update(step, reconstruction_loss(self.model.paint(codes), pictures, weight))


def picture_batch(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Pictures (count, 64, 64, 3) in [-1, 1] and per-pixel loss weights (count, 64, 64, 1)."""
    placements = [WORLD_REAL.row(int(i)).placement for i in rng.integers(0, WORLD_REAL.size, count)]
    pixels = torch.from_numpy(np.stack([draw(p) for p in placements])).float()
    objects = torch.from_numpy(np.stack([foreground(p) for p in placements])).float()
    return pixels / 127.5 - 1, (1 + (OBJECT_WEIGHT - 1) * objects).unsqueeze(-1)


def reconstruction_loss(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 + squared error + half the L1 error of horizontal and vertical differences."""
    error = made - wanted
    pixel = (weight * (error.abs() + error.square())).mean()
    across = (weight[:, :, 1:] * (error[:, :, 1:] - error[:, :, :-1]).abs()).mean()
    down = (weight[:, 1:] * (error[:, 1:] - error[:, :-1]).abs()).mean()
    return pixel + 0.5 * (across + down)
