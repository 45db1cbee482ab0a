"""Trains the Synth2 VLM on captions under picture tokens: resampler and gated cross-attention, the rest frozen.

Recipes ``synth2-tokens`` and ``synth2-pixels`` (Synth2 3.3, A.1.2). Knows nothing of where tokens come from.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from synthvlm_ui.models.vlm import TokenVlm, save_vlm
from synthvlm_ui.training.optimisers import load_state, set_rate, state_tensors, unprefixed
from synthvlm_ui.training.parts import replacing_part
from synthvlm_ui.training.presets import Preset
from synthvlm_ui.training.schedule import scale_at
from synthvlm_ui.training.token_feed import TokenFeed

IGNORED = -100


class CaptionTraining:
    """Caption training of a VLM. ``out`` gets the part ``vlm``."""

    def __init__(self, model: TokenVlm, feed: TokenFeed, preset: Preset, out: Path, *, seed: int = 0) -> None:
        self.feed, self.preset, self.out = feed, preset, out
        self.steps, self.seed = preset.steps, seed
        self.model = model.train()
        set_dropout(model, preset.dropout)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        groups = [{"params": [p for p in trained if p.ndim > 1], "weight_decay": preset.weight_decay},
                  {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, preset.learning_rate, preset.betas)
        self._trained = trained

    def step(self, step: int) -> dict[str, float]:
        """Trains on the pairs of this step; the loss is in nats per word. ``feed_s`` is what the tokens took."""
        started_s = time.perf_counter()
        tokens, draws = self.feed.load(step)
        feed_s = time.perf_counter() - started_s
        captions = [self.feed.mixture.caption(draw) for draw in draws]
        loss = caption_loss(self.model, captions, tokens)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, self.preset.gradient_clip)
        rate = self.preset.learning_rate * scale_at(step, self.steps, self.preset.warmup_share, self.preset.cosine)
        set_rate(self.optimiser, rate)
        self.optimiser.step()
        return {"loss": float(loss.detach()), "learning_rate": rate, "feed_s": round(feed_s, 5)}

    def tensors(self) -> dict[str, Tensor]:
        """What is added to the frozen language model, and the optimiser."""
        added = {f"model.{name}": tensor for name, tensor in self.model.added().items()}
        return added | state_tensors("optimiser", self.optimiser)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Inverse of ``tensors``."""
        self.model.load_state_dict(unprefixed("model", tensors), strict=False)
        load_state("optimiser", self.optimiser, tensors)

    def export(self) -> None:
        """Writes the part ``vlm``."""
        with replacing_part(self.out, "vlm") as folder:
            save_vlm(self.model, folder)


def caption_loss(model: TokenVlm, captions: Sequence[str], tokens: Tensor) -> Tensor:
    """Mean cross entropy of every next word of the captions under their pictures (N, tokens)."""
    device = model.position.device
    ids, lengths = caption_ids(model.tokenizer, captions, model.length)
    mask = torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
    labels = ids.masked_fill(~mask, IGNORED)[:, 1:].to(device)
    logits = model(ids[:, :-1].to(device), mask[:, :-1].to(device), tokens.to(device))
    return functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED)


def caption_ids(tokenizer: Any, captions: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
    """Ids (N, T) with start and end token, T at most ``length``, padded on the right, and the lengths (N,)."""
    end = tokenizer.eos_token_id
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    rows = [[start, *tokenizer.encode(text, add_special_tokens=False)[: length - 2], end] for text in captions]
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), end)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    return ids, lengths


def set_dropout(model: TokenVlm, share: float) -> None:
    """Sets the dropout of the trained cross-attention layers, and of nothing that is frozen."""
    for layer in model.decoder.model.gated_cross_attn_layers:
        layer.config = share  # what the class of transformers reads as its dropout
