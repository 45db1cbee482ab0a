"""A miniature LLaVA and what its two stages do to the language of its language model (SynthVLM's MMLU claim).

Stage 1 trains the projector alone, on the pairs under test; stage 2 trains projector and language model on real pairs,
the same ones for every arm, with the 6 % of rows without a picture that LLaVA's instruction mix has.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.findings.captioners import Frozen
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.sets import PairSet
from synthvlm_ui.miniature.optimiser import warm_then_cool
from synthvlm_ui.training.captioning import IGNORED, caption_ids

_POOL = 2  # cells per row and column of one picture token
_RATES = {"stage 1": 2e-3, "stage 2": 2e-4}
_TEXT_SHARE = 0.06
_BATCH = 24
OnStep = Callable[[int, int], None]


class TinyLlava(nn.Module):
    """Picture tokens made by a two-layer projector stand before the words of a copy of the language model."""

    def __init__(self, frozen: Frozen, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.frozen = frozen
        self.network = copy.deepcopy(frozen.language.network)
        positions, width = frozen.front["position"].shape
        self.side, hidden = math.isqrt(positions), self.network.config.hidden_size
        self.position = nn.Parameter(torch.randn((self.side // _POOL) ** 2, hidden) * 0.1)
        self.projector = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def losses(self, cells: Tensor | None, captions: list[str]) -> Tensor:
        """Nats of every next word of captions, flat; under pictures (N, positions, width), or as texts alone."""
        ids, lengths = caption_ids(self.frozen.language.tokenizer, captions, self.frozen.language.length)
        mask = torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
        labels = ids.masked_fill(~mask, IGNORED)[:, 1:]
        words = self.network.get_input_embeddings()(ids[:, :-1])
        before = 0
        if cells is not None:
            grid = cells.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
            pooled = functional.avg_pool2d(grid, _POOL).flatten(2).transpose(1, 2)
            seen = self.projector(pooled) * 0.2 + self.position
            before, words = seen.shape[1], torch.cat([seen, words], 1)
        logits = self.network(inputs_embeds=words, use_cache=False).logits[:, before:]
        flat = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
        return flat[labels != IGNORED]

    @torch.no_grad()
    def perplexity(self, texts: list[str]) -> float:
        """Of texts without pictures, per word."""
        parts = [self.losses(None, texts[start:start + 64]) for start in range(0, len(texts), 64)]
        return math.exp(float(torch.cat(parts).mean()))


def language_kept(frozen: Frozen, aligned: PairSet, taught: PairSet, heldout: PairSet, plan: Plan, *, seed: int,
                  on_step: OnStep) -> dict[str, float]:
    """Perplexity of the held-out captions as texts before and after, and of the captions under their pictures after."""
    model = TinyLlava(frozen, seed)
    before = model.perplexity(heldout.captions)
    _train(model, aligned, "stage 1", plan, seed, on_step)
    _train(model, taught, "stage 2", plan, seed, on_step)
    with torch.no_grad():
        seen = model.losses(frozen.cells(heldout.tokens), heldout.captions)
    return {"before": before, "after": model.perplexity(heldout.captions),
            "under_pictures": math.exp(float(seen.mean()))}


def _train(model: TinyLlava, pairs: PairSet, stage: str, plan: Plan, seed: int, on_step: OnStep) -> None:
    model.network.requires_grad_(stage == "stage 2")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, steps = _RATES[stage], plan.language_steps
    optimiser = torch.optim.AdamW(trained, rate, (0.9, 0.98), weight_decay=0.0)
    cells = model.frozen.cells(pairs.tokens)
    for step in range(steps):
        on_step(step, steps)
        chance = np.random.default_rng([seed, 43, step])
        chosen: NDArray[np.int64] = chance.integers(0, len(pairs.captions), _BATCH)
        texts = int(chance.binomial(_BATCH, _TEXT_SHARE)) if stage == "stage 2" else 0
        captions = [pairs.captions[index] for index in chosen]
        parts = [model.losses(cells[chosen[texts:]], captions[texts:])]
        if texts:
            parts.append(model.losses(None, captions[:texts]))
        loss = torch.cat(parts).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm_then_cool(step, steps, 10, 0.4)
        optimiser.step()
