"""The part that looks, trained once and frozen: every arm starts from it, so that an arm costs a minute.

In the paper the codes of the VQ-GAN have seen their surroundings; a code of the small world is four numbers about 4x4
pixels, and learning to recognise sprites from captions alone takes an hour of one core. So the convolutions before the
resampler learn from drawings, without any caption, which object and paint every cell shows and which ground there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.corpora import WORLD_REAL
from synthvlm_ui.miniature.drawing import all_grounds
from synthvlm_ui.miniature.generator_recipe import TokenizedCorpus
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.miniature.precision import fast_products
from synthvlm_ui.miniature.sides import cell_answers
from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.sizes import VLMS
from synthvlm_ui.models.vlm import TokenVlm
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer

CELL_CLASSES = (1 + len(words.NOUNS), 2 + len(words.COLOURS))  # noun and paint; 0 is the ground
BATCH = 48
FRONT = ("project.", "position")

# (steps done, steps in all) -> None; may raise to stop
OnStep = Callable[[int, int], None]


def new_vlm(language: LanguageModel, tokenizer: PictureTokenizer, seed: int) -> TokenVlm:
    """An untrained VLM of the small world's size; its weights are a function of the seed."""
    torch.manual_seed(seed)
    codebook = tokenizer.codebook()
    sizes = replace(VLMS["miniature"], tokens=tokenizer.config.tokens, codes=len(codebook),
                    code_width=codebook.shape[1])
    return TokenVlm(language, codebook, sizes)


def front_tensors(model: TokenVlm) -> dict[str, Tensor]:
    """The weights of a VLM that ``train_front`` trains, by name."""
    return {name: tensor for name, tensor in model.state_dict().items() if name.startswith(FRONT)}


def trained_front(folder: Path, plan: Plan, language: LanguageModel, tokenizer: PictureTokenizer,
                  on_step: OnStep) -> dict[str, Tensor]:
    """The shared front's weights: read from the folder, or trained and kept there."""
    path = folder / f"front-{plan.key('looking', 'looking_steps')}.safetensors"
    if not path.is_file():
        tensors = train_front(plan, language, tokenizer, on_step)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft)
        draft.replace(path)
    return load_file(path)


def train_front(plan: Plan, language: LanguageModel, tokenizer: PictureTokenizer, on_step: OnStep) -> dict[str, Tensor]:
    """Trains on the first ``plan.looking`` pictures of world-real; no caption is read."""
    model = new_vlm(language, tokenizer, seed=0)
    grounds = {ground: number for number, ground in enumerate(all_grounds())}
    width = model.config.width
    heads = nn.ModuleDict({"cells": nn.Linear(width, sum(CELL_CLASSES)), "ground": nn.Linear(width, len(grounds))})
    trained = nn.ModuleDict({"project": model.project, "heads": heads})
    # The positions are no module of their own; the optimiser takes parameters from modules.
    trained.register_parameter("position", model.position)
    optimiser = SplitOptimiser(trained, (), adam_lr=3e-3)
    corpus = TokenizedCorpus(WORLD_REAL, tokenizer)
    for step in range(plan.looking_steps):
        on_step(step, plan.looking_steps)
        indices = np.random.default_rng([31, step]).integers(0, plan.looking, BATCH)
        placements = [WORLD_REAL.row(int(index)).placement for index in indices]
        behind = torch.tensor([grounds[placement.ground] for placement in placements])
        with fast_products("cpu"):
            loss = _loss(model, heads, _tokens(corpus, indices), cell_answers(placements), behind)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimiser.step(warm_then_cool(step, plan.looking_steps, 30, 0.4))
    return {name: tensor.detach().clone() for name, tensor in front_tensors(model).items()}


def _tokens(corpus: TokenizedCorpus, indices: NDArray[np.int64]) -> Tensor:
    return corpus.rows(indices)[0]


def _loss(model: TokenVlm, heads: nn.ModuleDict, tokens: Tensor, shown: Tensor, behind: Tensor) -> Tensor:
    """Nats per cell for noun and paint, and per picture for the ground."""
    cells = model.cells(tokens)
    scaled = functional.layer_norm(cells, cells.shape[-1:])
    parts = heads["cells"](scaled).split(CELL_CLASSES, -1)
    seen = [functional.cross_entropy(part.transpose(1, 2), shown[..., i]) for i, part in enumerate(parts)]
    return torch.stack(seen).sum() + 0.5 * functional.cross_entropy(heads["ground"](scaled.mean(1)), behind)
