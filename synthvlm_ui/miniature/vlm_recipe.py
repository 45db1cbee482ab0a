"""Trains the baseline VLM on the tokens and captions of world-real, around the frozen language model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from synthvlm_ui.backends import torchvision_ops
from synthvlm_ui.miniature import tokens
from synthvlm_ui.miniature.corpora import WORLD_REAL, Corpus
from synthvlm_ui.miniature.generator_recipe import TokenizedCorpus
from synthvlm_ui.miniature.lm_recipe import LENGTH
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.models import storage
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.sizes import VLMS
from synthvlm_ui.models.vlm import TokenVlm, VlmConfig, save_vlm

HIDDEN = ("cross_attn", "perceiver_resampler.blocks", "mlp.", "mixing.", "project.")


class VlmRecipe:
    """Caption training of the baseline VLM.

    Args:
        assets: directory that holds the trained `lm` and `vq`.
        seed: of weights and of every batch.
        steps: optimiser updates.
        batch: pictures per step.
    """

    name = "vlm"

    def __init__(
        self, assets: Path, seed: int = 0, steps: int = 800, batch: int = 64, device: str = "cpu",
        corpus: Corpus = WORLD_REAL, config: VlmConfig | None = None,
    ) -> None:  # fmt: skip
        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        torchvision_ops.ensure_importable()
        language = load_language_model(assets / "lm", device)
        tokenizer = storage.load_tokenizer(assets / "vq").to(device)
        self.corpus, self.tokens = corpus, TokenizedCorpus(corpus, tokenizer)
        torch.manual_seed(seed)
        codebook = tokenizer.codebook()
        fitting = replace(VLMS["miniature"], tokens=tokenizer.config.tokens, codes=len(codebook))
        sizes = config or replace(fitting, code_width=codebook.shape[1])
        self.model = TokenVlm(language, codebook, sizes).to(device).train()
        self.optimiser = SplitOptimiser(self.model, HIDDEN)

    def step(self, step: int) -> float:
        """Train on the pictures of this step number; returns nats per word."""
        indices = np.random.default_rng([self.seed, 16, step]).integers(0, self.corpus.size, self.batch)
        pictures, _ = self.tokens.rows(indices)
        captions = [self.corpus.row(int(i)).caption for i in indices]
        ids = torch.tensor(tokens.encode(captions, LENGTH))
        ids = ids[:, : int((ids != tokens.PAD).sum(1).max())].to(self.device)
        logits = self.model(ids[:, :-1], ids[:, :-1] != tokens.PAD, pictures.to(self.device))
        loss = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], ignore_index=tokens.PAD)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step(warm_then_cool(step, self.steps, 50, 0.4))
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Trained weights and optimiser."""
        return {"model": self.model.added(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])

    def export(self, out: Path) -> None:
        """config.json and fp16 weights of everything but the frozen language model."""
        save_vlm(self.model, out)
