"""Perplexity of a language model, or of the language half of a vision-language model, on texts it has not seen.

What SynthVLM asks MMLU for, whether training on pictures has cost the model its language, asked of any text at hand.
Knows no store; loads models from local directories only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from synthvlm_ui.errors import EmptyInput, ModelUnavailable
from synthvlm_ui.models import torchvision_ops

_BATCH = 16
_LONGEST = 1024


def perplexity(directory: Path, texts: Sequence[str], *, device: str = "cpu",
               watch: Callable[[int], bool] = lambda done: False) -> dict[str, float]:
    """``perplexity`` = exp of the mean negative log-likelihood per predicted token, in nats, and how many ``tokens``.

    Each text stands alone and is cut to 1024 tokens; the first token is given, not predicted. Numbers of models with
    different tokenizers cannot be compared. ``watch`` is told how many texts are done and may ask to stop.

    Raises: EmptyInput (nothing to predict), ModelUnavailable.
    """
    model, tokenizer = _load(directory, device)
    rows = [ids for text in texts if len(ids := tokenizer(text)["input_ids"][:_LONGEST]) > 1]
    if not rows:
        raise EmptyInput("no text has two tokens to measure", fix="Give longer texts.")
    rows.sort(key=len)
    total = count = 0.0
    for start in range(0, len(rows), _BATCH):
        nats, tokens = _batch_loss(model, rows[start:start + _BATCH], device)
        total, count = total + nats, count + tokens
        if watch(min(start + _BATCH, len(rows))):
            break
    return {"perplexity": math.exp(total / count), "tokens": count, "nats_per_token": total / count}


@torch.no_grad()
def _batch_loss(model: Any, rows: Sequence[Sequence[int]], device: str) -> tuple[float, int]:
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for line, row in enumerate(rows):
        ids[line, :len(row)], mask[line, :len(row)] = torch.tensor(row), 1
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits[:, :-1].float()
    targets = ids[:, 1:].to(device).masked_fill(mask[:, 1:].to(device) == 0, -100)
    loss = functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-100, reduction="sum")
    return float(loss), int((targets != -100).sum())


def _load(directory: Path, device: str) -> tuple[Any, Any]:
    torchvision_ops.ensure_importable()
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        # A vision-language model reads text without a picture through its language half alone.
        kind: Any = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
        model = kind.from_pretrained(directory, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"no language model can be read: {str(error).splitlines()[0]}", where=str(directory),
                               fix="Name a directory that save_pretrained wrote, with its tokenizer.") from error
    return model.to(device).eval().requires_grad_(False), tokenizer
