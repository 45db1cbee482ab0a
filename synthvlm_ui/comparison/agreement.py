"""How often, how surely, and whether the raters agree: intervals and coefficients of agreement by their formulas.

Knows counts and labels; knows no image, no score and no journal.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
Label = Hashable


def wilson_interval(successes: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927): 95 % for the default ``z``; (0, 1) without trials.

    Stays inside [0, 1] and is not empty at 0 or all successes, where the usual one is.
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    denominator = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / denominator
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / denominator
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(groups: Sequence[Sequence[float]], draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """A 95 % interval of the mean by resampling whole groups: several ratings of one pair are not independent.

    ``groups`` holds the values of each pair; (0, 1) when there are none.
    """
    filled = [group for group in groups if len(group)]
    if not filled:
        return 0.0, 1.0
    sums = np.array([sum(group) for group in filled], np.float64)
    sizes = np.array([len(group) for group in filled], np.float64)
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, len(filled), (draws, len(filled)))
    means = sums[picked].sum(1) / sizes[picked].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def cohen_kappa(first: Sequence[Label], second: Sequence[Label]) -> float:
    """Cohen's kappa (1960) of two raters over the same items; NaN when chance alone explains everything or nothing."""
    if len(first) != len(second):
        raise ValueError("two raters of the same items are needed")
    if not first:
        return math.nan
    n = len(first)
    observed = sum(one == other for one, other in zip(first, second, strict=True)) / n
    one, other = Counter(first), Counter(second)
    expected = sum(one[label] * other[label] for label in one) / n**2
    return math.nan if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(counts: NDArray[np.integer]) -> float:
    """Fleiss' kappa (1971). Shapes: (items, categories) counts, equally many ratings in every row; otherwise NaN."""
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or not len(table):
        return math.nan
    raters = table.sum(1)
    if raters[0] < 2 or (raters != raters[0]).any():
        return math.nan
    share = table.sum(0) / table.sum()
    agreement = ((table**2).sum(1) - raters) / (raters * (raters - 1))
    expected = float((share**2).sum())
    return math.nan if expected == 1 else (float(agreement.mean()) - expected) / (1 - expected)


def krippendorff_alpha(units: Sequence[Sequence[Label]]) -> float:
    """Krippendorff's alpha for names (nominal data), which takes any number of raters and missing ratings: 1 - Do / De
    over the coincidences of values within units (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").

    ``units`` holds the ratings each item got; items with fewer than two say nothing. NaN when nothing can be paired or
    all ratings are the same.
    """
    coincidences: Counter[tuple[Label, Label]] = Counter()
    for values in units:
        size = len(values)
        if size < 2:
            continue
        for place, value in enumerate(values):
            for other in (*values[:place], *values[place + 1:]):
                coincidences[value, other] += 1 / (size - 1)  # type: ignore[assignment]
    total = sum(coincidences.values())
    marginals: Counter[Label] = Counter()
    for (value, _), amount in coincidences.items():
        marginals[value] += amount
    observed = sum(amount for (value, other), amount in coincidences.items() if value != other)
    expected = total**2 - sum(amount**2 for amount in marginals.values())
    if total < 2 or expected <= 1e-12:
        return math.nan
    return 1 - (total - 1) * observed / expected


def pairwise(ratings: Mapping[str, Mapping[Hashable, Label]],
             measure: Callable[[Sequence[Label], Sequence[Label]], float] = cohen_kappa) -> list[dict[str, object]]:
    """The measure for every two raters on the items both rated: [{raters, n, share_equal, kappa}]."""
    rows: list[dict[str, object]] = []
    for one, other in combinations(sorted(ratings), 2):
        items = sorted(ratings[one].keys() & ratings[other].keys(), key=str)
        first, second = [ratings[one][item] for item in items], [ratings[other][item] for item in items]
        equal = sum(a == b for a, b in zip(first, second, strict=True)) / len(items) if items else math.nan
        rows.append({"raters": [one, other], "n": len(items), "share_equal": equal, "kappa": measure(first, second)})
    return rows


def by_item(ratings: Mapping[str, Mapping[Hashable, Label]]) -> dict[Hashable, list[Label]]:
    """The ratings that each item got, from the ratings that each rater gave."""
    units: dict[Hashable, list[Label]] = defaultdict(list)
    for rater in sorted(ratings):
        for item, label in ratings[rater].items():
            units[item].append(label)
    return dict(units)
