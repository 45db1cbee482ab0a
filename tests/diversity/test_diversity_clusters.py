"""K-means against scikit-learn's own, the sample, the elbow, the names."""

from __future__ import annotations

import numpy as np
import pytest
from made_sets import rows_of
from sklearn.cluster import KMeans

from synthvlm_ui.diversity import fit_kmeans, knee, name_clusters, nearest, pooled_sample, unit, usable, wcss_curve
from synthvlm_ui.errors import BadSetting


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return unit(np.random.default_rng(0).normal(size=(800, 16)) + 1.5 * np.eye(16)[np.arange(800) % 16])


def test_the_inertia_is_scikit_learns_from_the_same_start(sample: np.ndarray) -> None:
    found = next(fit_kmeans(sample, 7, seeds=[4]))
    theirs = KMeans(7, init=found.start, n_init=1, tol=0, max_iter=1000).fit(sample).inertia_
    assert found.inertia == pytest.approx(theirs, rel=1e-3)


def test_ten_cheap_starts_are_as_good_as_scikit_learns_ten(sample: np.ndarray) -> None:
    found = next(fit_kmeans(sample, 16, seeds=[0]))
    assert found.inertia <= 1.01 * KMeans(16, n_init=10, random_state=0).fit(sample).inertia_


def test_every_row_goes_to_the_nearest_centroid_of_every_fit(sample: np.ndarray) -> None:
    fits = list(fit_kmeans(sample, 5, seeds=[0, 1]))
    codes, closeness = nearest(sample, np.ones(len(sample), bool), fits)
    for number, fit in enumerate(fits):
        distances = ((sample[:, None] - fit.centroids[None]) ** 2).sum(-1)
        assert (codes[number] == distances.argmin(1)).all()
    centre = fits[0].centroids[codes[0]]
    cosine = (sample * centre).sum(1) / np.linalg.norm(centre, axis=1)
    assert closeness == pytest.approx(cosine, abs=1e-5)


def test_a_pooled_sample_drowns_no_set_and_takes_everything_when_it_fits() -> None:
    sets = {"large": rows_of(np.array([900]), 0, 8), "small": -rows_of(np.array([40]), 1, 8)}
    masks = {name: usable(rows) for name, rows in sets.items()}
    drawn = pooled_sample(sets, masks, limit=100)
    assert (drawn[:, 0] < 0).sum() == 40 and len(drawn) == 100
    assert len(pooled_sample(sets, masks, limit=10_000)) == 940


def test_copies_of_a_row_are_drawn_independently() -> None:
    rows = np.repeat(np.eye(4, dtype=np.float32), 250, axis=0)
    drawn = pooled_sample({"a": rows}, {"a": usable(rows)}, limit=400)
    assert all(60 < count < 140 for count in (drawn > 0.5).sum(0))


def test_the_elbow_is_at_the_number_of_clusters_and_never_rises() -> None:
    rows = unit(rows_of(np.array([40] * 6), 0, 12, noise=0.05))
    curve = list(wcss_curve(rows, 2, 14))
    ks, wcss = zip(*curve, strict=True)
    assert ks == tuple(range(2, 15))
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in zip(wcss, wcss[1:], strict=False))
    assert knee(ks, wcss) == 6
    assert knee([2, 3], [1.0, 0.5]) is None and knee([2, 3, 4], [1.0, 1.0, 1.0]) is None


@pytest.mark.parametrize(("low", "high"), [(5, 5), (0, 4), (2, 500)])
def test_an_elbow_needs_a_range(low: int, high: int) -> None:
    with pytest.raises(BadSetting, match="no range"):
        list(wcss_curve(unit(np.eye(6)), low, high))


def test_names_are_the_words_that_set_a_cluster_apart() -> None:
    texts = ["a red boat on the water", "the red boat sails", "a green dog", "a dog that is green", ""]
    texts.append(texts[0])
    codes = np.array([0, 0, 1, 1, -1, 0], np.int16)
    closeness = np.array([.9, .8, .7, .6, np.nan, .95], np.float32)
    boats, dogs, nobody = name_clusters(codes, closeness, 3, texts.__getitem__)
    assert set(boats.words[:2]) == {"red", "boat"} and set(dogs.words[:2]) == {"green", "dog"}
    assert boats.nearest == (5, 1), "the same text once, the nearest row first"
    assert nobody.name == "cluster 3" and nobody.nearest == ()
