"""Trains the masked-token generator on the tokens and captions of world-real.

The frozen language model encodes the captions; its weights never change.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from synthvlm_ui.miniature.corpora import WORLD_REAL, Corpus
from synthvlm_ui.miniature.drawing import foreground
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.miniature.precision import fast_products
from synthvlm_ui.models import storage, torchvision_ops
from synthvlm_ui.models.language import LanguageModel, load_language_model
from synthvlm_ui.models.masked_generator import GeneratorConfig, MaskedGenerator
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer
from synthvlm_ui.training.masked import draw_mask

CAPTION_DROPOUT = 0.1
OBJECT_WEIGHT = 3.0
EMA_DECAY = 0.999
TRAINING = "training.safetensors"


class TokenizedCorpus:
    """Rows of a corpus as token ids, encoded when first asked for and kept in memory."""

    def __init__(self, corpus: Corpus, tokenizer: PictureTokenizer) -> None:
        self.corpus, self.tokenizer = corpus, tokenizer
        count = tokenizer.config.tokens
        self._ids: NDArray[np.uint16] = np.zeros((corpus.size, count), np.uint16)
        self._objects: NDArray[np.bool_] = np.zeros((corpus.size, count), bool)
        self._known: NDArray[np.bool_] = np.zeros(corpus.size, bool)

    def rows(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Token ids (N, tokens) int64 and which tokens touch an object, (N, tokens) bool."""
        missing = [int(i) for i in np.unique(indices) if not self._known[i]]
        if missing:
            placements = [self.corpus.row(i) for i in missing]
            pixels = torch.from_numpy(np.stack([row.pixels() for row in placements]))
            self._ids[missing] = self.tokenizer.encode(pixels).cpu().numpy()
            self._objects[missing] = [self._touched(foreground(row.placement)) for row in placements]
            self._known[missing] = True
        ids = torch.from_numpy(self._ids[indices].astype(np.int64))
        return ids, torch.from_numpy(self._objects[indices])

    def _touched(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        grid, patch = self.tokenizer.config.grid, self.tokenizer.config.patch
        touched: NDArray[np.bool_] = mask.reshape(grid, patch, grid, patch).any((1, 3)).reshape(-1)
        return touched


class GeneratorRecipe:
    """Masked-token training of the shipped generator.

    Args:
        assets: directory that holds the trained `lm` and `vq`.
        seed: of weights and of every batch.
        steps: optimiser updates.
        batch: pictures per step.
    """

    name = "generator"

    def __init__(
        self, assets: Path, seed: int = 0, steps: int = 1600, batch: int = 48,
        device: str = "cpu", config: GeneratorConfig | None = None, corpus: Corpus = WORLD_REAL,
    ) -> None:  # fmt: skip
        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        torchvision_ops.ensure_importable()
        self.language = load_language_model(assets / "lm", device)
        self.corpus = corpus
        self.tokens = TokenizedCorpus(corpus, storage.load_tokenizer(assets / "vq").to(device))
        torch.manual_seed(seed)
        self.model = MaskedGenerator(config or GeneratorConfig()).to(device).train()
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        hidden = ("query_key_value", "merge", "rise", "fall", "text_key_value")
        self.optimiser = SplitOptimiser(self.model, hidden)
        self.done = 0

    def step(self, step: int) -> float:
        """Train on the pictures of this step number; returns nats per masked token."""
        rng = np.random.default_rng([self.seed, 14, step])
        indices = rng.integers(0, self.corpus.size, self.batch)
        ids, objects = self.tokens.rows(indices)
        captions = [self.corpus.row(int(i)).caption for i in indices]
        captions = ["" if rng.random() < CAPTION_DROPOUT else text for text in captions]
        hidden = draw_mask(rng, self.batch, ids.shape[1])
        with fast_products(self.device):
            loss, shown = masked_loss(self.model, self.language, captions, ids, hidden, objects)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step(warm_then_cool(step, self.steps, 40, 0.35))
        self.done = step + 1
        self._follow(min(EMA_DECAY, (1 + step) / (10 + step)))
        return shown

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for mean, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)

    def state(self) -> dict[str, Any]:
        """Weights, their running mean, and the optimiser."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])

    def export(self, out: Path) -> None:
        """config.json, the running mean as fp16, and the weights themselves, to go on from."""
        storage.save_generator(self.average, out)
        half = {name: t.detach().half().cpu().contiguous() for name, t in self.model.state_dict().items()}
        save_file(half, out / TRAINING, metadata={"done": str(self.done)})

    def go_on_from(self, shipped: Path) -> int:
        """Load the shipped weights and their running mean; returns how many steps they have seen.

        The optimiser's momenta are not shipped, so this is not the unbroken run, only nearly.
        """
        with safe_open(shipped / TRAINING, framework="pt") as file:
            self.done = int(file.metadata()["done"])
            self.model.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})
        self.average.load_state_dict(storage.load_generator(shipped).state_dict())
        return self.done


def masked_loss(
    model: MaskedGenerator, language: LanguageModel, captions: list[str],
    ids: Tensor, hidden: Tensor, objects: Tensor,
) -> tuple[Tensor, float]:  # fmt: skip
    """Cross entropy of the hidden tokens, tokens of objects weighted, and its plain mean in nats.

    Args:
        ids: (N, tokens) true ids; `hidden` and `objects` (N, tokens) bool.
    """
    device = model.position.device
    ids, hidden, objects = ids.to(device), hidden.to(device), objects.to(device)
    text = language.encode(captions)
    states = model.corner_states(ids.masked_fill(hidden, model.config.mask_id), text)
    where = model.fold(hidden)
    error = functional.cross_entropy(model.logits(states[where]), model.fold(ids)[where], reduction="none")
    share = 1 + (OBJECT_WEIGHT - 1) * model.fold(objects)[where].float()
    return (error * share).sum() / share.sum(), float(error.detach().mean())
