"""Muon for hidden matrices, AdamW for everything else, in one optimiser.

Muon (Jordan 2024) replaces the momentum of a matrix by its nearest semi-orthogonal matrix,
found with five Newton-Schulz iterations; on small transformers it needs fewer samples than
AdamW. Knows nothing about the models it trains.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan's iteration


def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Nearly semi-orthogonal matrix with the singular vectors of `matrix`, (rows, columns)."""
    a, b, c = _QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """SGD with momentum whose matrix updates are orthogonalised; only for 2-D parameters."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """One update from the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalise(parameter.grad.lerp(momentum, group["momentum"]))
                shape = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.add_(update, alpha=-group["lr"] * shape)


class SplitOptimiser:
    """Muon for the named hidden matrices of a model, AdamW for the rest, one learning-rate scale.

    Args:
        model: whose trainable parameters are optimised.
        hidden: parameters whose name contains one of these and that are 2-D go to Muon.
        muon_lr, adam_lr: rates at scale 1.
        weight_decay: of AdamW's matrices.
    """

    def __init__(
        self, model: nn.Module, hidden: tuple[str, ...], muon_lr: float = 0.02,
        adam_lr: float = 1e-3, weight_decay: float = 0.02,
    ) -> None:  # fmt: skip
        trainable = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        matrices = [p for n, p in trainable if p.ndim == 2 and any(h in n for h in hidden)]
        chosen = {id(p) for p in matrices}
        rest = [p for _, p in trainable if id(p) not in chosen]
        self.muon = Muon(matrices, muon_lr) if matrices else None
        self.adam = torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
                {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=adam_lr,
            betas=(0.9, 0.98),
        )
        self._rates = (muon_lr, adam_lr)

    def step(self, scale: float) -> None:
        """Update with learning rates times `scale`, then clear the gradients."""
        for group in self.adam.param_groups:
            group["lr"] = self._rates[1] * scale
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        if self.muon is not None:
            for group in self.muon.param_groups:
                group["lr"] = self._rates[0] * scale
            self.muon.step()
            self.muon.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, object]:
        """Both optimisers' states."""
        return {"adam": self.adam.state_dict(), "muon": self.muon and self.muon.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Inverse of `state_dict`."""
        self.adam.load_state_dict(state["adam"])  # type: ignore[arg-type]
        if self.muon is not None:
            self.muon.load_state_dict(state["muon"])  # type: ignore[arg-type]


def warm_then_cool(step: int, steps: int, warmup: int, cooldown: float) -> float:
    """Learning-rate scale in (0, 1]: linear warm-up, constant, linear to zero at the end.

    Args:
        step: 0 <= step < steps.
        cooldown: share of the steps over which the rate falls to zero.
    """
    cooling = max(1.0, cooldown * steps)
    return min(1.0, (step + 1) / max(1, warmup), (steps - step) / cooling)
