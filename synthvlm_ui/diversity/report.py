"""The whole measurement: one clustering for all sets, every set under it, and how far that depends on the seed.

Arrays in, records out. Knows no files, models or screens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity.clusters import DEFAULT_FITS, DEFAULT_K, Codes, Fit, check_enough, fit_kmeans, nearest
from synthvlm_ui.diversity.measures import Diversity, band_of, counts_of, differences
from synthvlm_ui.diversity.rows import SAMPLE_ROWS, FloatRows, Mask, Rows, pooled_sample, usable
from synthvlm_ui.errors import BadSetting

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Clustering:
    """The fits of one pooled sample, the one with the least inertia first: that is the clustering that is shown."""

    sample: FloatRows
    fits: tuple[Fit, ...]

    @property
    def k(self) -> int:
        return self.fits[0].k


@dataclass(frozen=True)
class Measured:
    """Every set under every fit. ``codes`` holds for each set the cluster of each row under the shown fit, (N,) int16,
    -1 for rows without a usable embedding; ``closeness`` the cosine with the centroid."""

    clustering: Clustering
    codes: Mapping[str, Codes]
    closeness: Mapping[str, NDArray[np.float32]]
    by_fit: Mapping[str, Sequence[Diversity]]

    def sets(self) -> dict[str, dict[str, Any]]:
        """{name: the numbers of the shown fit, and their band over all fits}, JSON-ready."""
        found = {}
        for name, fits in self.by_fit.items():
            shown = fits[0]
            found[name] = {
                "n": shown.n, "left_out": len(self.codes[name]) - shown.n, "top3": shown.top3, "top5": shown.top5,
                "entropy_bits": shown.entropy_bits, "entropy_share": shown.entropy_share,
                "effective_clusters": shown.effective_clusters, "cluster_sizes": shown.counts.tolist(),
                "cluster_shares": (shown.counts / shown.n).tolist(), "sampling_sd": shown.sampling_sd,
                "band": {**band_of(fits), "fits": len(fits)}}
        return found

    def differences(self) -> list[dict[str, Any]]:
        """What can be said of every two sets, JSON-ready."""
        return differences(self.by_fit)


def cluster(sets: Mapping[str, Rows], masks: Mapping[str, Mask], *, k: int = DEFAULT_K, seed: int = 0,
            fits: int = DEFAULT_FITS, sample_rows: int = SAMPLE_ROWS, told: Told | None = None) -> Clustering:
    """Fits k-means ``fits`` times, with different starts, to one pooled sample of all sets (co-clustering, Synth2 A.3).

    Raises: BadSetting when the sets do not go together, or have fewer different rows than K.
    """
    if not 1 <= fits <= 100:
        raise BadSetting(f"{fits} fits are not from 1 to 100", where="--fits", fix="Give another number of fits.")
    sample = pooled_sample(sets, masks, limit=sample_rows, seed=seed)
    check_enough(sample, k)
    made = []
    for fit in fit_kmeans(sample, k, seeds=range(seed, seed + fits)):
        made.append(fit)
        if told is not None:
            told("clusters fitted", len(made), fits)
    return Clustering(sample, tuple(sorted(made, key=lambda fit: fit.inertia)))


def measure(sets: Mapping[str, Rows], *, k: int = DEFAULT_K, seed: int = 0, fits: int = DEFAULT_FITS,
            sample_rows: int = SAMPLE_ROWS, told: Told | None = None) -> Measured:
    """Clusters the sets together and measures each. Shapes: every set (N, D). Raises: BadSetting, EmptyInput."""
    if not sets:
        raise BadSetting("there is no set to measure", fix="Name at least one dataset or selection.")
    masks = {name: usable(rows, name) for name, rows in sets.items()}
    clustering = cluster(sets, masks, k=k, seed=seed, fits=fits, sample_rows=sample_rows, told=told)
    assigned = {name: nearest(rows, masks[name], clustering.fits) for name, rows in sets.items()}
    return measured(clustering, {name: codes for name, (codes, _) in assigned.items()},
                    {name: closeness for name, (_, closeness) in assigned.items()})


def measured(clustering: Clustering, codes: Mapping[str, Codes],
             closeness: Mapping[str, NDArray[np.float32]]) -> Measured:
    """Counts the sets' codes, (fits, N) each, after giving the shown fit's clusters their numbers: the cluster that is
    largest over all sets (mean share) is 0, so that numbers do not depend on how k-means happened to order them."""
    shares = sum(counts_of(each[0], clustering.k) / max(1, int((each[0] >= 0).sum())) for each in codes.values())
    shown = clustering.fits[0]
    order = np.lexsort((*shown.centroids.T[::-1], -np.asarray(shares)))
    places = np.empty(clustering.k + 1, np.int16)
    places[order] = np.arange(clustering.k)
    places[-1] = -1
    renumbered = Fit(shown.centroids[order], shown.inertia, shown.start[order], shown.iterations)
    first = {name: places[each[0]] for name, each in codes.items()}
    by_fit = {name: [Diversity.of(counts_of(row, fit.k)) for row, fit in
                     zip([first[name], *each[1:]], clustering.fits, strict=True)] for name, each in codes.items()}
    return Measured(Clustering(clustering.sample, (renumbered, *clustering.fits[1:])), first, closeness, by_fit)
