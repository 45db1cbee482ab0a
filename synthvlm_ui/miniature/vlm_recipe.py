"""Trains the baseline VLM on the tokens and captions of world-real, around the frozen language model.

Behind closed gates next to no gradient reaches the part that looks at the picture, whose codes are shallow. So
that part first learns, without the language model, which object and paint every cell of the picture shows (known from
the drawing) and which words the caption holds; then the whole learns the caption itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.miniature import tokens, words
from synthvlm_ui.miniature.corpora import WORLD_REAL, Corpus
from synthvlm_ui.miniature.generator_recipe import TokenizedCorpus
from synthvlm_ui.miniature.lm_recipe import LENGTH
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.miniature.precision import fast_products
from synthvlm_ui.miniature.sides import cell_answers
from synthvlm_ui.models import storage, torchvision_ops
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.sizes import VLMS
from synthvlm_ui.models.vlm import TokenVlm, VlmConfig, save_vlm

CELL_CLASSES = (1 + len(words.NOUNS), 2 + len(words.COLOURS))  # noun and paint; 0 is the ground
LOOK_SHARE = 0.3
HIDDEN = ("cross_attn", "perceiver_resampler.blocks", "mlp.")


class VlmRecipe:
    """Caption training of the baseline VLM.

    Args:
        assets: directory that holds the trained `lm` and `vq`.
        seed: of weights and of every batch.
        steps: optimiser updates; the first `LOOK_SHARE` of them train only the part that looks.
        batch: pictures per step.
        rows: the first rows of the corpus; drawing and tokenising one costs as much as a third of training on it.
    """

    name = "vlm"

    def __init__(
        self, assets: Path, seed: int = 0, steps: int = 2000, batch: int = 48, device: str = "cpu",
        corpus: Corpus = WORLD_REAL, config: VlmConfig | None = None, rows: int = 24_000,
    ) -> None:  # fmt: skip
        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        self.rows = min(rows, corpus.size)
        torchvision_ops.ensure_importable()
        language = load_language_model(assets / "lm", device)
        tokenizer = storage.load_tokenizer(assets / "vq").to(device)
        self.corpus, self.tokens = corpus, TokenizedCorpus(corpus, tokenizer)
        torch.manual_seed(seed)
        codebook = tokenizer.codebook()
        fitting = replace(VLMS["miniature"], tokens=tokenizer.config.tokens, codes=len(codebook))
        sizes = config or replace(fitting, code_width=codebook.shape[1])
        self.model = TokenVlm(language, codebook, sizes).to(device).train()
        self.look_steps = round(LOOK_SHARE * steps)
        self.heads = nn.ModuleDict({"words": nn.Linear(sizes.width, len(language.tokenizer)),
                                    "cells": nn.Linear(sizes.width, sum(CELL_CLASSES))}).to(device)  # fmt: skip
        nn.init.constant_(self.heads["words"].bias, -3.0)  # type: ignore[arg-type]  # most words are not in a caption
        # Gates start at zero and are single numbers: at the usual rate they would open too late.
        parts = nn.ModuleDict({"vlm": self.model, "heads": self.heads})
        self.optimiser = SplitOptimiser(parts, HIDDEN, adam_lr=3e-3)

    def step(self, step: int) -> float:
        """Train on the pictures of this step number; returns nats per word, at first the loss of looking."""
        indices = np.random.default_rng([self.seed, 16, step]).integers(0, self.rows, self.batch)
        pictures = self.tokens.rows(indices)[0].to(self.device)
        captions = [self.corpus.row(int(i)).caption for i in indices]
        ids = torch.tensor(tokens.encode(captions, LENGTH))
        ids = ids[:, : int((ids != tokens.PAD).sum(1).max())].to(self.device)
        with fast_products(self.device):
            if step < self.look_steps:
                loss = self._look_loss(pictures, ids, indices)
            else:
                logits = self.model(ids[:, :-1], ids[:, :-1] != tokens.PAD, pictures)
                loss = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], ignore_index=tokens.PAD)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads.parameters()], 1.0)
        self.optimiser.step(warm_then_cool(step, self.steps, 50, 0.4))
        return float(loss.detach())

    def _look_loss(self, pictures: Tensor, ids: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """What every cell shows, and which words the caption holds by the mean of the latents; nats."""
        held = torch.zeros(len(ids), len(self.model.tokenizer), device=ids.device).scatter_(1, ids, 1.0)
        cells = self.model.cells(pictures)
        latents = self.model.decoder.model.perceiver_resampler(cells)
        said = functional.binary_cross_entropy_with_logits(self.heads["words"](latents.mean(1)), held)
        shown = cell_answers([self.corpus.row(int(i)).placement for i in indices]).to(ids.device)
        parts = self.heads["cells"](functional.layer_norm(cells, cells.shape[-1:])).split(CELL_CLASSES, -1)
        seen = [functional.cross_entropy(part.transpose(1, 2), shown[..., i]) for i, part in enumerate(parts)]
        return torch.stack(seen).sum() + said * held.shape[1] / float(held.sum(1).mean())

    def state(self) -> dict[str, Any]:
        """Trained weights and optimiser."""
        return {
            "model": self.model.added(), "heads": self.heads.state_dict(), "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"], strict=False)
        self.heads.load_state_dict(state["heads"])
        self.optimiser.load_state_dict(state["optimiser"])

    def export(self, out: Path) -> None:
        """config.json and fp16 weights of everything but the frozen language model."""
        save_vlm(self.model, out)
