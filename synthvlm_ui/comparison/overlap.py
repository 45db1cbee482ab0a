"""Whether two clouds of embeddings lie in one another: a flat map for the eye, and a test for the doubt.

Knows arrays only. PCA is numpy; t-SNE is scikit-learn's and UMAP umap-learn's, imported when asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison.distances import normalised
from synthvlm_ui.errors import BadSetting, EmptyInput, ModelUnavailable

METHODS = ("pca", "tsne", "umap")
MAP_MAX_ROWS = 1000  # of each set: SynthVLM's appendix maps 1,000 of each
_PCA_FIRST = 50
_FEW_ROWS = 2000
_PERPLEXITY = 30.0


def sample_rows(count: int, limit: int, seed: int) -> NDArray[np.int64]:
    """Which of ``count`` rows are taken, ascending: all, or a seeded sample of ``limit``."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def flat_map(sets: Sequence[NDArray[np.floating]], method: str = "pca", seed: int = 0) -> list[NDArray[np.float32]]:
    """Every set's rows as points of one plane, laid out together. Shapes: (N, D) each -> (N, 2) each.

    Raises: BadSetting for an unknown method or sets of different D, EmptyInput for fewer than 3 rows in all,
    ModelUnavailable when the method's package is not installed.
    """
    check_method(method)
    rows = [normalised(one) for one in sets]
    if len({one.shape[1] for one in rows}) != 1:
        raise BadSetting("sets with embeddings of different models", fix="Score all sets with the same CLIP model.")
    pooled = np.concatenate(rows)
    if len(pooled) < 3:
        raise EmptyInput(f"{len(pooled)} rows make no map", fix="Take larger sets.")
    flat = _laid_out(pooled, method, seed).astype(np.float32)
    ends = np.cumsum([len(one) for one in rows])[:-1]
    return list(np.split(flat, ends))


def check_method(method: str) -> None:
    """Raises: BadSetting, ModelUnavailable."""
    if method not in METHODS:
        raise BadSetting(f"unknown map {method!r}", fix=f"Choose one of {', '.join(METHODS)}.")
    needed = {"tsne": ("sklearn", "scikit-learn"), "umap": ("umap", "umap-learn"), "pca": ("numpy", "numpy")}
    package, name = needed[method]
    if importlib.util.find_spec(package) is None:
        raise ModelUnavailable(f"the package {name} is not installed", fix=f"Run: pip install {name}, or choose pca.")


def _laid_out(rows: NDArray[np.float64], method: str, seed: int) -> NDArray[np.floating]:
    if method == "pca":
        return principal(rows, 2)
    reduced = principal(rows, min(_PCA_FIRST, *rows.shape))
    if method == "tsne":
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
        # Its threads wait for each other, spinning, in a thousand short steps: beside other work that took a minute.
        with threadpool_limits(limits=1 if len(rows) < _FEW_ROWS else None):
            return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced))
    # By name, since it is no requirement: it brings a compiler with it.
    layout = importlib.import_module("umap").UMAP(n_components=2, random_state=seed, n_jobs=1)
    return np.asarray(layout.fit_transform(reduced))


def principal(rows: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """The first principal components of the rows; signs are such that the largest loading is positive."""
    centred = np.asarray(rows, np.float64) - np.mean(rows, axis=0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    count = min(count, len(values))
    signs = np.sign(right[np.arange(count), np.abs(right[:count]).argmax(1)])
    scores = left[:, :count] * values[:count] * np.where(signs == 0, 1, signs)
    return np.pad(scores, ((0, 0), (0, max(0, 2 - count))))


def nearest_neighbour_share(first: NDArray[np.floating], second: NDArray[np.floating], seed: int = 0) -> float:
    """The share of rows whose nearest other row, by cosine, is of their own set: 0.5 when two equally large sets cannot
    be told apart, 1 when they do not touch (the leave-one-out 1-NN test of Lopez-Paz and Oquab 2017).

    The larger set is thinned to the size of the smaller. Shapes: (N, D), (M, D), at least 2 rows each.
    Raises: EmptyInput.
    """
    size = min(len(first), len(second), MAP_MAX_ROWS)
    if size < 2:
        raise EmptyInput("a set with fewer than two rows has no neighbours", fix="Take larger sets.")
    rows = np.concatenate([normalised(one)[sample_rows(len(one), size, seed)] for one in (first, second)])
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    mine = np.arange(2 * size) < size
    # Equal rows of both sets are equally near: each counts as half, whichever stands first in memory.
    best = likeness.max(1, keepdims=True)
    nearest = likeness >= best - 1e-12
    own = (nearest & (mine[:, None] == mine[None, :])).sum(1) / nearest.sum(1)
    return float(own.mean())
