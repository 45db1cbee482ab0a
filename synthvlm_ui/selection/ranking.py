"""The combined score and the one total order of candidates that follows from it.

Knows no threshold and no verdict. Every step is exact under a change of the order of rows.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection.columns import Columns, rank_of, require, size_of
from synthvlm_ui.selection.presets import ssim_column

# Sums over fixed-point integers do not depend on the order of rows, as sums of floats would: 2**-30 is far below what
# float32 resolves, and a million values below 64 stay inside int64.
_FIXED_POINT = 2.0**30
_BIG_ENDIAN = sys.byteorder == "big"


def combined_score(rule: SelectionRule, columns: Columns) -> NDArray[np.float32]:
    """clip_scale * clip_cosine + ssim_weight * ssim, (N,) float32; NaN where a term is.

    A term of weight 0 is left out, and its column need not be there. With ``normalise`` each term is a z-score over
    the candidates that have it. Raises: BadSetting naming a missing column.
    """
    terms = [term for _, term in _terms(rule, columns)]
    if not terms:
        return np.zeros(size_of(columns), np.float32)
    return terms[0] + terms[1] if len(terms) == 2 else terms[0].copy()


def variance_share(rule: SelectionRule, columns: Columns, deviations: Mapping[str, float] = MappingProxyType({}),
                   ) -> dict[str, float]:
    """Each term's variance as a fraction of their sum: which term decides the order. All 0 when nothing varies.

    ``deviations`` are the standard deviations of columns, for a caller that has them.
    """
    variances = {}
    weights = {"clip_cosine": rule.clip_scale, ssim_column(rule.preset): rule.ssim_weight}
    if deviations and not rule.normalise and weights.keys() <= deviations.keys():
        variances = {name: (weight * deviations[name]) ** 2 if np.isfinite(deviations[name]) else 0.0
                     for name, weight in weights.items() if weight}
        terms = []
    else:
        terms = _terms(rule, columns)
    for name, term in terms:
        finite = term[np.isfinite(term)]
        variances[name] = float(np.var(finite, dtype=np.float64)) if len(finite) else 0.0
    whole = sum(variances.values())
    return {name: variance / whole if whole else 0.0 for name, variance in variances.items()}


def keys_of(score: NDArray[np.float32], columns: Columns) -> NDArray[np.uint64]:
    """One number per row, higher is better and none twice: score descending, then candidate id ascending.

    NaN comes after every number. The lower 32 bits hold the complement of the id's rank. Shapes: (N,) -> (N,).
    """
    # Adding 0.0 makes -0.0 equal to 0.0; flipping the bits of negative floats makes floats order like integers.
    bits = (score + np.float32(0.0)).view(np.int32)
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    bits[np.isnan(score)] = np.iinfo(np.int32).min
    return _packed(bits.view(np.uint32) ^ np.uint32(1 << 31), rank_of(columns))


def random_keys(seed: int, columns: Columns) -> NDArray[np.uint64]:
    """Keys of a random order that depends on the seed and the set of ids only (PCG64 over the sorted ids)."""
    rank = rank_of(columns)
    dense = np.empty(len(rank), np.uint32)
    dense[np.argsort(rank)] = np.arange(len(rank), dtype=np.uint32)
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(rank)).astype(np.uint32)
    return _packed(shuffled[dense], rank)


def best_first(keys: NDArray[np.uint64], rows: NDArray[np.int64],
               forced: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """The rows by falling key, ``forced`` ones before all others. Shapes: keys, forced (N,), rows (M,) -> (M,)."""
    result = rows[np.argsort(~keys[rows])]
    if forced is None:
        return result
    first = forced[result]
    return np.concatenate((result[first], result[~first])) if first.any() else result


def _packed(upper: NDArray[np.uint32], rank: NDArray[np.uint32]) -> NDArray[np.uint64]:
    keys = np.empty((len(rank), 2), np.uint32)
    keys[:, 0 if _BIG_ENDIAN else 1] = upper
    np.invert(rank, out=keys[:, 1 if _BIG_ENDIAN else 0])
    return keys.reshape(-1).view(np.uint64)


def _terms(rule: SelectionRule, columns: Columns) -> list[tuple[str, NDArray[np.float32]]]:
    terms = []
    for name, weight in (("clip_cosine", rule.clip_scale), (ssim_column(rule.preset), rule.ssim_weight)):
        if weight == 0:
            continue
        values = require(columns, name, f"the preset {rule.preset!r}").astype(np.float32, copy=False)
        if rule.normalise:
            values = _z_score(values)
        terms.append((name, values if weight == 1 else values * np.float32(weight)))
    return terms


def _z_score(values: NDArray[np.float32]) -> NDArray[np.float32]:
    is_finite = np.isfinite(values)
    finite = (values if is_finite.all() else values[np.flatnonzero(is_finite)]).astype(np.float64)
    if not len(finite):
        return values
    mean = _mean(finite)
    deviation = _mean((finite - mean) ** 2) ** 0.5
    if deviation == 0:
        return values - np.float32(mean)
    scaled: NDArray[np.float32] = ((values - mean) / deviation).astype(np.float32)
    return scaled


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.rint(values * _FIXED_POINT).astype(np.int64).sum()) / _FIXED_POINT / len(values)
