"""In which number format the recipes multiply. Knows no recipe and no model."""

from __future__ import annotations

import contextlib

import torch

from synthvlm_ui.backends.device import has_bf16_units


def fast_products(device: str) -> contextlib.AbstractContextManager[object]:
    """A context in which matrix products run in bfloat16 where the device multiplies it itself, and float32 elsewhere.

    Weights, their gradients and the optimiser stay float32. On a processor with such units a step of the generator
    takes about two thirds of the time; without them bfloat16 is slower than float32 (docs/LOG.md).
    """
    kind = torch.device(device).type
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if kind == "cuda" else has_bf16_units()
    return torch.autocast(kind, torch.bfloat16) if fast and kind in ("cpu", "cuda") else contextlib.nullcontext()
