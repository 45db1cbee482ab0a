"""Finite scalar quantisation (Mentzer et al. 2023): a codebook without codebook training.

Each of a few channels is squashed and rounded to a handful of levels; the product of the
levels is the codebook. Knows nothing about images.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FiniteScalarQuantiser(nn.Module):
    """Rounds channel i of a vector to `levels[i]` values; straight-through gradient.

    Args:
        levels: number of values per channel; their product is the codebook size.
    """

    _half: Tensor
    _offset: Tensor
    _shift: Tensor
    _width: Tensor
    _basis: Tensor

    def __init__(self, levels: tuple[int, ...] = (8, 5, 5, 5)) -> None:
        super().__init__()
        self.levels = levels
        self.size = int(torch.tensor(levels).prod())
        count = torch.tensor(levels, dtype=torch.float32)
        basis = torch.cumprod(torch.tensor((1, *levels[:-1])), 0)
        # Even level counts have no middle value, so their range is shifted by one half.
        offset = (count % 2 == 0).float() * 0.5
        half = (count - 1) * 1.001 / 2
        self.register_buffer("_half", half, persistent=False)
        self.register_buffer("_offset", offset, persistent=False)
        self.register_buffer("_shift", torch.atanh(offset / half), persistent=False)
        self.register_buffer("_width", torch.div(count, 2, rounding_mode="floor"), persistent=False)
        self.register_buffer("_basis", basis, persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Quantised vectors in [-1, 1], same shape (..., len(levels)) as the input."""
        bounded = torch.tanh(vectors + self._shift) * self._half - self._offset
        rounded = bounded + (bounded.round() - bounded).detach()
        return rounded / self._width

    def to_ids(self, quantised: Tensor) -> Tensor:
        """Codebook ids (...,) int64 of quantised vectors (..., len(levels))."""
        digits = (quantised * self._width + self._width).round().long()
        return (digits * self._basis).sum(-1)

    def from_ids(self, ids: Tensor) -> Tensor:
        """Quantised vectors (..., len(levels)) of ids (...,); inverse of `to_ids`."""
        levels = torch.tensor(self.levels, device=ids.device)
        digits = torch.div(ids.unsqueeze(-1), self._basis, rounding_mode="floor") % levels
        return (digits - self._width) / self._width
