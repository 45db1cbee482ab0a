"""Optimisers as plain tensors by name, so that a checkpoint needs no pickle. Knows no network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def state_tensors(prefix: str, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """{"prefix.PARAMETER.NAME": tensor}: moments and counters; hyper-parameters come from the settings."""
    state = optimiser.state_dict()["state"]
    return {f"{prefix}.{number}.{name}": value
            for number, values in state.items() for name, value in values.items() if isinstance(value, Tensor)}


def load_state(prefix: str, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Inverse of ``state_tensors``."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"{prefix}."):
            number, name = key.removeprefix(f"{prefix}.").split(".", 1)
            state.setdefault(int(number), {})[name] = value
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """{"prefix.NAME": tensor} of a module's weights and buffers."""
    return {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of ``prefixed``."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
