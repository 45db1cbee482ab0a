"""Perplexity of texts under any causal language model of transformers, from the Hub or a local directory.

exp of the mean negative log likelihood of a text's tokens, the first one given the model's start token where it has
one. Its scale is the model's own: numbers of two models are never compared. Knows no caption and no limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from synthvlm_ui.backends.transformers_writer import directory_of, load_causal_model
from synthvlm_ui.models import torchvision_ops

_BATCH = {"cpu": 16}
_GPU_BATCH = 128
_LONGEST_TOKENS = 2048


class TransformersPerplexity:
    """Args: ``source`` is a directory or a Hub id. Raises: ModelUnavailable, OutOfMemory."""

    def __init__(self, source: str, device: str = "cpu") -> None:
        torchvision_ops.ensure_importable()
        self._tokenizer, self._network = load_causal_model(directory_of(source), device)
        self._device = device
        limit = getattr(self._network.config, "max_position_embeddings", None) or _LONGEST_TOKENS
        self._longest = min(int(limit), _LONGEST_TOKENS)

    def measure(self, texts: Sequence[str]) -> list[float]:
        """One perplexity per text, in order; NaN for a text without a token to predict. Longer texts are cut."""
        tokens = [self._encoded(text) for text in texts]
        result = [math.nan] * len(texts)
        order = sorted((number for number, one in enumerate(tokens) if len(one) > 1), key=lambda n: len(tokens[n]))
        size = _BATCH.get(self._device, _GPU_BATCH)
        for start in range(0, len(order), size):
            part = order[start: start + size]
            for number, value in zip(part, self._of([tokens[number] for number in part]), strict=True):
                result[number] = value
        return result

    def _encoded(self, text: str) -> list[int]:
        ids = list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        first = self._tokenizer.bos_token_id
        return ([first] if first is not None else [])[:1] + ids[: self._longest - 1]

    @torch.no_grad()
    def _of(self, batch: Sequence[Sequence[int]]) -> list[float]:
        width = max(map(len, batch))
        ids = torch.zeros((len(batch), width), dtype=torch.long, device=self._device)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(batch):
            ids[row, : len(one)] = torch.tensor(one, device=self._device)
            mask[row, : len(one)] = 1
        logits = self._network(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
        counted = mask[:, 1:].float()
        mean = (losses * counted).sum(1) / counted.sum(1)
        return [math.exp(min(value, 700.0)) for value in mean.tolist()]
