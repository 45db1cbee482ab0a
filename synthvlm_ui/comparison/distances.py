"""How far two sets of embeddings are apart: CMMD and the Fréchet distance.

Knows arrays only. Both depend on the model that made the embeddings: numbers of two models are never comparable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput

Floats = NDArray[np.floating]
CMMD_SIGMA = 10.0
CMMD_SCALE = 1000.0
CMMD_MAX_ROWS = 10_000
CHANCE_MAX_ROWS = 4_000
CHANCE_DRAWS = 200
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Cmmd:
    """``value``; how many rows of either set it was taken on; and what chance alone gives.

    ``chance`` is the value that 95 % of random divisions of all rows into two sets of these sizes stay below: the
    biased estimate is never 0, and the smaller the sets the larger. None for sets too large for it to matter.
    """

    value: float
    n: tuple[int, int]
    chance: float | None


def cmmd(first: Floats, second: Floats, *, max_rows: int = CMMD_MAX_ROWS, seed: int = 0) -> Cmmd:
    """CMMD of Jayasumana et al. 2024 (arXiv 2401.09603), as its authors' released code computes it: the squared maximum
    mean discrepancy under k(x, y) = exp(-|x - y|^2 / (2 * 10^2)) between L2-normalised CLIP embeddings, times 1,000,
    with the minimum-variance (biased) estimate, whose means include i = j; the paper's formula leaves those out.

    Above ``max_rows`` a seeded sample is taken. Shapes: (N, D), (M, D), any scale. Raises: BadSetting when D differs or
    a row is not finite, EmptyInput without rows.
    """
    one, other = normalised(first, "first set"), normalised(second, "second set")
    if one.shape[1] != other.shape[1]:
        raise BadSetting(f"embeddings of {one.shape[1]} and of {other.shape[1]} dimensions",
                         fix="Score both sets with the same CLIP model.")
    rng = np.random.default_rng(seed)
    one, other = _sampled(one, max_rows, rng), _sampled(other, max_rows, rng)
    chance = _by_chance(one, other, rng) * CMMD_SCALE if len(one) + len(other) <= CHANCE_MAX_ROWS else None
    return Cmmd(_mmd2(one, other) * CMMD_SCALE, (len(one), len(other)), chance)


def normalised(rows: Floats, name: str = "set") -> NDArray[np.float64]:
    """Rows of L2 norm 1 in float64. Raises: EmptyInput, BadSetting for a row that is zero or not finite."""
    wide = np.asarray(rows, np.float64)
    if wide.ndim != 2 or not wide.size:
        raise EmptyInput(f"the {name} has no embeddings", fix="Score it with the clip scorer first.")
    norms = np.linalg.norm(wide, axis=1)
    bad = ~np.isfinite(norms) | (norms == 0)
    if bad.any():
        raise BadSetting(f"{int(bad.sum())} embeddings of the {name} are zero or not finite",
                         fix="Score those images again.")
    return wide / norms[:, None]


def _sampled(rows: NDArray[np.float64], limit: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rows if len(rows) <= limit else rows[np.sort(rng.choice(len(rows), limit, replace=False))]


def _mmd2(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return _mean_kernel(one, one) + _mean_kernel(other, other) - 2 * _mean_kernel(one, other)


def _by_chance(one: NDArray[np.float64], other: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The 95th percentile of the estimate over random divisions: w' K w with weights 1/n and -1/m in random places."""
    rows = np.concatenate([one, other])
    gamma = 1 / (2 * CMMD_SIGMA**2)
    kernel = np.expm1(-2 * gamma * np.maximum(1 - rows @ rows.T, 0))
    weights = np.concatenate([np.full(len(one), 1 / len(one)), np.full(len(other), -1 / len(other))])
    divided = np.stack([rng.permutation(weights) for _ in range(CHANCE_DRAWS)], axis=1)
    return float(np.quantile(np.einsum("nd,nd->d", divided, kernel @ divided), 0.95))


def _mean_kernel(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The mean of k - 1: the ones cancel in the difference, and without them so do fewer digits."""
    gamma = 1 / (2 * CMMD_SIGMA**2)
    squares, other_squares = np.einsum("nd,nd->n", one, one), np.einsum("nd,nd->n", other, other)
    total = 0.0
    for start in range(0, len(one), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        apart = squares[block, None] + other_squares[None, :] - 2 * (one[block] @ other.T)
        total += float(np.expm1(-gamma * np.maximum(apart, 0)).sum())
    return total / (len(one) * len(other))


def frechet_distance(first: Floats, second: Floats) -> float:
    """The Fréchet distance of two Gaussians fitted to the rows: FID when they are Inception features (Heusel et al.
    2017): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    tr (C1 C2)^(1/2) is taken as the sum of the singular values of X1 X2' of the centred rows, which needs no matrix
    root and stays exact when there are fewer rows than dimensions. Shapes: (N, D), (M, D), N and M at least 2.
    Raises: BadSetting.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if min(len(one), len(other)) < 2 or one.shape[1] != other.shape[1]:
        raise BadSetting(f"sets of the shapes {one.shape} and {other.shape}",
                         fix="Give at least two rows each, of the same length.")
    apart = one.mean(0) - other.mean(0)
    factors = [_factor(rows) for rows in (one, other)]
    cross = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    spread = sum(float((factor**2).sum()) for factor in factors)
    return max(float(apart @ apart) + spread - 2 * float(cross), 0.0)


def _factor(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """F with F'F = the sample covariance, and no more rows than needed."""
    centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(rows) > rows.shape[1] else centred
