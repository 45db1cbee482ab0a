"""Concentration, entropy and effective number of clusters of one set, and whether two sets differ in them.

Synth2 section 4.2.2 and appendix A.3: concentration is the share of a set in its largest clusters, entropy that of the
normalised cluster sizes in bits. Knows only counts: relabelling clusters changes nothing, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import EmptyInput

Counts = NDArray[np.int64]
NUMBERS = ("entropy_bits", "top3", "top5", "effective_clusters")


def counts_of(codes: NDArray[Any], k: int) -> Counts:
    """How many rows each cluster has, (k,) int64; rows with code -1 are not counted."""
    return np.bincount(codes[codes >= 0], minlength=k).astype(np.int64)


def concentration(counts: Counts, top: int) -> float:
    """The share of a set in its ``top`` largest clusters, in [0, 1] (Synth2 A.3). Raises: EmptyInput."""
    total = _total(counts)
    return int(np.sort(counts)[::-1][:top].sum()) / total


def entropy_bits(counts: Counts) -> float:
    """Entropy of the cluster sizes in bits, from 0 to log2 K (Synth2 Table 8). Raises: EmptyInput."""
    total = _total(counts)
    # log2(total) - sum(c log2 c) / total; fsum rounds once, so that the order of the clusters cannot matter.
    weighted = math.fsum(count * math.log2(count) for count in counts.tolist() if count)
    return max(0.0, math.log2(total) - weighted / total)


@dataclass(frozen=True)
class Diversity:
    """What one fit says of one set. ``effective_clusters`` is 2 ** entropy; ``sampling_sd`` the standard error of the
    entropy when the set's rows are taken as a random draw (delta method)."""

    n: int
    counts: Counts
    top3: float
    top5: float
    entropy_bits: float
    sampling_sd: float

    @classmethod
    def of(cls, counts: Counts) -> Diversity:
        """Raises: EmptyInput."""
        total, bits = _total(counts), entropy_bits(counts)
        shares = counts[counts > 0] / total
        spread = max(0.0, float((shares * np.log2(shares) ** 2).sum()) - bits**2)
        return cls(total, counts, concentration(counts, 3), concentration(counts, 5), bits, math.sqrt(spread / total))

    @property
    def effective_clusters(self) -> float:
        return float(2**self.entropy_bits)

    @property
    def entropy_share(self) -> float:
        """Entropy as a share of log2 K."""
        return self.entropy_bits / math.log2(len(self.counts))


def band_of(fits: Sequence[Diversity]) -> dict[str, dict[str, float]]:
    """{number: {mean, sd, low, high}} over the fits: how far a number moves when only the seed of k-means changes."""
    found = {}
    for name in NUMBERS:
        values = [float(getattr(fit, name)) for fit in fits]
        found[name] = {"mean": fmean(values), "sd": stdev(values) if len(values) > 1 else 0.0,
                       "low": min(values), "high": max(values)}
    return found


def differences(sets: Mapping[str, Sequence[Diversity]]) -> list[dict[str, Any]]:
    """For every two sets: the difference of their entropies, and whether it is beyond what chance makes.

    Both sets are measured under the same centroids in every fit, so the difference is taken fit by fit. It counts when
    it has one sign in all fits and its mean exceeds twice sqrt(sd over fits ** 2 + both sets' sampling errors ** 2).
    """
    found = []
    for one, other in combinations(sets, 2):
        gaps = [a.entropy_bits - b.entropy_bits for a, b in zip(sets[one], sets[other], strict=True)]
        chance = math.sqrt((stdev(gaps) if len(gaps) > 1 else 0.0) ** 2
                           + sets[one][0].sampling_sd ** 2 + sets[other][0].sampling_sd ** 2)
        mean = fmean(gaps)
        differs = (all(gap > 0 for gap in gaps) or all(gap < 0 for gap in gaps)) and abs(mean) > 2 * chance
        more, less = (one, other) if mean > 0 else (other, one)
        statement = (f"{more} is more diverse than {less} by {abs(mean):.2f} bit, more than chance makes "
                     f"({2 * chance:.2f} bit)." if differs else
                     f"{one} and {other} do not differ beyond chance: {abs(mean):.2f} bit, where chance makes "
                     f"{2 * chance:.2f} bit.")
        found.append({"a": one, "b": other, "entropy_bits": mean, "chance_bits": 2 * chance, "differs": differs,
                      "statement": statement})
    return found


def _total(counts: Counts) -> int:
    total = int(counts.sum())
    if not total:
        raise EmptyInput("a set without rows has no diversity")
    return total
