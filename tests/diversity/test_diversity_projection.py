"""Maps of embeddings: every method puts apart what is apart, and the same rows give the same map."""

from __future__ import annotations

import numpy as np
import pytest

from synthvlm_ui.diversity import METHODS, project, unit
from synthvlm_ui.errors import BadSetting

# UMAP compiles for 20 s, and says on import that it found no TensorFlow, which nothing here needs.
SLOW = {"umap": [pytest.mark.slow]}


@pytest.mark.parametrize("method", [pytest.param(name, marks=SLOW.get(name, [])) for name in METHODS])
@pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")
def test_maps_are_centred_and_put_clusters_apart(method: str) -> None:
    chance = np.random.default_rng(0)
    rows = unit(np.eye(8)[np.arange(60) % 2] + 0.05 * chance.normal(size=(60, 8)))
    plane = project(rows, method)
    assert plane.shape == (60, 2) and plane.dtype == np.float32
    assert plane.mean(axis=0) == pytest.approx(0, abs=1e-4)
    one, other = plane[::2].mean(axis=0), plane[1::2].mean(axis=0)
    assert np.linalg.norm(one - other) > 2 * plane[::2].std()
    assert (project(rows, method) == plane).all()


def test_principal_axes_are_the_directions_of_most_spread() -> None:
    chance = np.random.default_rng(0)
    rows = (chance.normal(size=(200, 4)) * np.array([0.1, 5, 0.2, 1])).astype(np.float32)
    plane = project(rows, "pca")
    assert abs(np.corrcoef(plane[:, 0], rows[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(plane[:, 1], rows[:, 3])[0, 1]) > 0.9
    assert project(rows[:, :1], "pca").shape == (200, 2)


def test_maps_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(BadSetting, match="no map"):
        project(np.eye(4, dtype=np.float32), "nonsense")
    with pytest.raises(BadSetting, match="make no map"):
        project(np.eye(4, dtype=np.float32)[:2], "pca")
