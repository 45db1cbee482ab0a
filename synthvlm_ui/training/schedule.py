"""The learning rate over the steps. Knows no optimiser."""

from __future__ import annotations

import math


def scale_at(step: int, steps: int, warmup_share: float, cosine: bool = True) -> float:
    """What the learning rate is multiplied with in step ``step`` (from 0): linear warm-up, then cosine to zero or 1."""
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    if not cosine:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
