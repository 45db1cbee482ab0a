"""Maps: rows of embeddings as points on a plane. Knows no sets and draws nothing."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import nullcontext
from typing import Any

import numpy as np

from synthvlm_ui.diversity.rows import FloatRows
from synthvlm_ui.diversity.threads import one_thread_each
from synthvlm_ui.errors import BadSetting, ModelUnavailable

# How many points each method can place in about a minute on two cores.
MOST_POINTS = {"pca": 100_000, "umap": 50_000, "tsne": 5_000}
METHODS = tuple(MOST_POINTS)
_FEW = 2000


def can_make(method: str) -> bool:
    """Whether this machine has what the method needs."""
    return method in MOST_POINTS and (method != "umap" or importlib.util.find_spec("umap") is not None)


def check_method(method: str) -> None:
    """Raises: BadSetting for an unknown method, ModelUnavailable for one whose package is not installed."""
    if method not in MOST_POINTS:
        raise BadSetting(f"there is no map {method!r}", where="--map", fix=f"Use {', '.join(METHODS)}.")
    if not can_make(method):
        raise ModelUnavailable("the package umap-learn is not installed",
                               fix="Run: pip install umap-learn, or choose pca.")


def project(rows: FloatRows, method: str, *, seed: int = 0) -> FloatRows:
    """(N, D) unit rows to (N, 2) float32, centred and scaled to a standard deviation of 1 over both axes together.

    PCA by the eigenvectors of the covariance; t-SNE (van der Maaten and Hinton 2008) from PCA; UMAP where installed.
    Raises: BadSetting, ModelUnavailable.
    """
    check_method(method)
    if len(rows) < 3:
        raise BadSetting(f"{len(rows)} points make no map", fix="Use larger sets.")
    flat = _principal(rows)
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(rows) - 1) / 3)
        start = (flat[:, :2] / max(float(flat[:, 0].std()), 1e-9) * 1e-4).astype(np.float32)
        # A thousand short steps: on few points more threads than one only wait for each other.
        with one_thread_each() if len(rows) <= _FEW else nullcontext():
            flat = TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(flat)
    elif method == "umap":
        # By name, since it is an extra that nothing else needs.
        umap: Any = importlib.import_module("umap")
        flat = umap.UMAP(n_components=2, random_state=seed, n_jobs=1).fit_transform(flat)
    flat = np.asarray(flat[:, :2], np.float32)
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    flat = flat - flat.mean(axis=0)
    spread = float(np.sqrt((flat**2).mean()))
    return np.asarray(flat / spread if spread > 0 else flat, np.float32)


def _principal(rows: FloatRows, axes: int = 30) -> FloatRows:
    """The rows on their first principal axes, (N, at most ``axes``)."""
    centred = rows - rows.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    chosen = vectors[:, ::-1][:, : min(axes, rows.shape[1])]
    # An eigenvector's sign is arbitrary: the largest entry positive, so that equal rows give equal maps.
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(chosen.shape[1])])
    return np.asarray(centred @ chosen.astype(np.float32), np.float32)
