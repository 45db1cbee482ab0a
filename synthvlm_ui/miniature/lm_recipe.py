"""Trains the language model on the captions of world-real.

Knows nothing about pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from synthvlm_ui.miniature import tokens
from synthvlm_ui.miniature.corpora import WORLD_REAL
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.models import torchvision_ops

LENGTH = 28


class LanguageRecipe:
    """Next-word training of the shipped language model.

    Args:
        seed: of weights and of the order of the captions.
        steps: optimiser updates.
        batch: captions per step.
    """

    name = "lm"

    def __init__(self, seed: int = 0, steps: int = 1450, batch: int = 64, device: str = "cpu") -> None:
        torchvision_ops.ensure_importable()
        from transformers import LlamaForCausalLM

        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        torch.manual_seed(seed)
        self.tokenizer = tokens.build_tokenizer()
        network: Any = LlamaForCausalLM(language_config(len(self.tokenizer)))
        self.model = network.to(device).train()
        self.optimiser = SplitOptimiser(self.model, ("proj.weight",))

    def step(self, step: int) -> float:
        """Train on the captions of this step number; returns nats per word."""
        rng = np.random.default_rng([self.seed, 13, step])
        captions = [WORLD_REAL.row(int(i)).caption for i in rng.integers(0, WORLD_REAL.size, self.batch)]
        ids = torch.tensor(tokens.encode(captions, LENGTH), device=self.device)
        logits = self.model(input_ids=ids[:, :-1], attention_mask=ids[:, :-1] != tokens.PAD, use_cache=False).logits
        loss = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], ignore_index=tokens.PAD)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step(warm_then_cool(step, self.steps, 50, 0.4))
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Weights and optimiser."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def export(self, out: Path) -> None:
        """transformers layout with fp16 weights and the tokenizer."""
        from transformers import LlamaForCausalLM

        half = LlamaForCausalLM(self.model.config).half()
        half.load_state_dict(self.model.state_dict())
        half.save_pretrained(out)
        self.tokenizer.save_pretrained(out)


def language_config(vocabulary: int) -> Any:
    """Sizes of the shipped language model: 4 layers, 160 wide, about 1.3 M parameters."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocabulary, hidden_size=160, intermediate_size=448, num_hidden_layers=4,
        num_attention_heads=4, max_position_embeddings=64, tie_word_embeddings=True,
        pad_token_id=tokens.PAD, bos_token_id=tokens.START, eos_token_id=tokens.END,
    )  # fmt: skip
