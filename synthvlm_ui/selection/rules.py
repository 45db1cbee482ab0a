"""Resolves a rule against columns: who passes, who is kept, in which order.

The steps, each best first by (combined score descending, candidate id ascending): filters (images that failed, guards,
thresholds, ``where``) -> one per caption -> no near duplicates -> at most so many per cluster -> top_k or keep_ratio.
Human verdicts override all of it. Knows no file, no store and no image; equal columns in another order of rows give
the same ids in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection.columns import Columns, captions_in, require, size_of
from synthvlm_ui.selection.duplicates import DUPLICATE_RADIUS_BITS, best_in_group, without_duplicates
from synthvlm_ui.selection.filters import check_filter, matching
from synthvlm_ui.selection.presets import preset, ssim_column
from synthvlm_ui.selection.ranking import best_first, combined_score, keys_of, random_keys

_Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Resolved:
    """What a rule keeps.

    Shapes: ``ordinals`` (kept,) int64 rows, best first; ``combined`` (N,) float32, NaN where it cannot be had;
    ``passed`` (N,) bool, the rows that pass the filters, before anything is ranked and before any verdict.
    ``overridden_keep`` counts rows kept only by a verdict, ``overridden_reject`` rows out only by one.
    ``thresholds`` holds the rule's own and ``combined_cut``, the score of the last row kept by rank (None if none).
    """

    ordinals: NDArray[np.int64]
    combined: NDArray[np.float32]
    thresholds: Mapping[str, float | None]
    passed: _Mask
    overridden_keep: int
    overridden_reject: int
    captions_kept: int
    captions_total: int

    @property
    def kept(self) -> int:
        return len(self.ordinals)


@dataclass(frozen=True)
class Yield:
    """The counts of a rule, for a moving threshold; ``mask`` is (N,) bool, the rows kept."""

    total: int
    kept: int
    captions_kept: int
    captions_total: int
    mask: _Mask


@dataclass(frozen=True)
class _Choice:
    """Rows kept, and everything worked out on the way to them."""

    mask: _Mask
    passed: _Mask
    forced: _Mask
    rejected: _Mask
    combined: NDArray[np.float32]
    keys: NDArray[np.uint64] | None


def check_rule(rule: SelectionRule, columns: Columns) -> None:
    """Raises BadSetting when a number is outside its range, two settings exclude each other, or a column is missing."""
    preset(rule.preset)
    if rule.top_k is not None and rule.keep_ratio is not None:
        raise _bad("top_k and keep_ratio at once", "top_k", "Give one of them.")
    if rule.top_k is not None and rule.top_k < 1:
        raise _bad(f"top_k {rule.top_k} is below 1", "top_k", "Give a number from 1 on.")
    if rule.keep_ratio is not None and not 0 < rule.keep_ratio <= 1:
        raise _bad(f"keep_ratio {rule.keep_ratio} is outside (0, 1]", "keep_ratio", "Give a fraction such as 0.1.")
    if rule.per_cluster is not None and rule.per_cluster < 1:
        raise _bad(f"per_cluster {rule.per_cluster} is below 1", "per_cluster", "Give a number from 1 on.")
    for name in ("clip_scale", "ssim_weight", "clip_min", "ssim_min", "combined_min"):
        value = getattr(rule, name)
        if value is not None and not np.isfinite(value):
            raise _bad(f"{name} {value} is not a finite number", name, "Give a number.")
    if rule.seed < 0:
        raise _bad(f"seed {rule.seed} is below 0", "seed", "Give a number from 0 on.")
    for name, wanted_by in _needed(rule):
        require(columns, name, wanted_by)
    if rule.drop_duplicates and columns["phash"].dtype.kind != "u":
        raise _bad(f"the column 'phash' holds {columns['phash'].dtype}, not 64-bit hashes", "drop_duplicates",
                   "Leave drop_duplicates out.")
    if rule.where is not None:
        check_filter(rule.where, columns)


def resolve(rule: SelectionRule, columns: Columns) -> Resolved:
    """The rows that the rule keeps, best first.

    Columns: candidate_id (or id_rank), caption_code, clip_cosine, ssim; ok, guard and verdict where there are any;
    phash, cluster and those of ``where`` when the rule needs them. Thresholds are inclusive and NaN never passes.
    Raises: BadSetting (see check_rule).
    """
    check_rule(rule, columns)
    choice = _choose(rule, columns)
    keys = choice.keys if choice.keys is not None else _keys(rule, choice.combined, columns)
    ordinals = best_first(keys, np.flatnonzero(choice.mask))
    ranked = np.flatnonzero(choice.mask & ~choice.forced)
    cut = float(choice.combined[ranked].min()) if len(ranked) and not rule.random else None
    plain = _choose(rule, {name: column for name, column in columns.items() if name != "verdict"}, choice) \
        if (choice.forced.any() or choice.rejected.any()) else choice
    return Resolved(
        ordinals=ordinals,
        combined=choice.combined,
        thresholds={"clip_min": rule.clip_min, "ssim_min": rule.ssim_min, "combined_min": rule.combined_min,
                    "combined_cut": cut} | ({"duplicate_radius_bits": float(DUPLICATE_RADIUS_BITS)}
                                            if rule.drop_duplicates else {}),
        passed=choice.passed,
        overridden_keep=int((choice.forced & ~plain.mask).sum()),
        overridden_reject=int((choice.rejected & plain.mask).sum()),
        captions_kept=captions_in(columns, choice.mask),
        captions_total=captions_in(columns),
    )


def yield_of(rule: SelectionRule, columns: Columns) -> Yield:
    """How much the rule keeps, without sorting what it keeps. Raises: BadSetting (see check_rule)."""
    check_rule(rule, columns)
    mask = _choose(rule, columns).mask
    return Yield(len(mask), int(np.count_nonzero(mask)), captions_in(columns, mask), captions_in(columns), mask)


def _needed(rule: SelectionRule) -> list[tuple[str, str]]:
    named = f"the preset {rule.preset!r}"
    ssim = ssim_column(rule.preset)
    asked = [
        (rule.clip_scale != 0 and not rule.random, "clip_cosine", named),
        (rule.ssim_weight != 0 and not rule.random, ssim, named),
        (rule.clip_min is not None, "clip_cosine", "clip_min"),
        (rule.ssim_min is not None, ssim, "ssim_min"),
        (rule.combined_min is not None and rule.clip_scale != 0, "clip_cosine", "combined_min"),
        (rule.combined_min is not None and rule.ssim_weight != 0, ssim, "combined_min"),
        (rule.best_per_caption, "caption_code", "best_per_caption"),
        (rule.drop_duplicates, "phash", "drop_duplicates"),
        (rule.per_cluster is not None, "cluster", "per_cluster"),
    ]
    return [(name, wanted_by) for is_asked, name, wanted_by in asked if is_asked]


def _choose(rule: SelectionRule, columns: Columns, known: _Choice | None = None) -> _Choice:
    """Who is kept; ``known`` spares working out again what does not depend on verdicts."""
    size = size_of(columns)
    combined = known.combined if known else _combined(rule, columns)
    usable = columns["ok"].astype(bool, copy=False) if "ok" in columns else np.ones(size, bool)
    passed = known.passed if known else usable & _passing(rule, columns, combined)
    nobody = np.zeros(size, bool)
    judged = rule.verdicts and "verdict" in columns
    forced = (columns["verdict"] > 0) & usable if judged else nobody
    rejected = columns["verdict"] < 0 if judged else nobody
    mask = (passed & ~rejected) | forced if judged else passed
    if not (rule.best_per_caption or rule.drop_duplicates or rule.per_cluster or rule.top_k or rule.keep_ratio):
        return _Choice(mask, passed, forced, rejected, combined, known.keys if known else None)
    keys = known.keys if known and known.keys is not None else _keys(rule, combined, columns)
    return _Choice(_cut(rule, columns, keys, mask, forced), passed, forced, rejected, combined, keys)


def _combined(rule: SelectionRule, columns: Columns) -> NDArray[np.float32]:
    """The combined score; a random baseline does without when the scores are not there."""
    wanted = [name for name, weight in (("clip_cosine", rule.clip_scale), (ssim_column(rule.preset), rule.ssim_weight))
              if weight != 0]
    if rule.random and rule.combined_min is None and any(name not in columns for name in wanted):
        return np.full(size_of(columns), np.nan, np.float32)
    return combined_score(rule, columns)


def _passing(rule: SelectionRule, columns: Columns, combined: NDArray[np.float32]) -> _Mask:
    """Filters only. A comparison with NaN is false, so a missing number passes nothing."""
    passing = np.ones(len(combined), bool) if rule.random else ~np.isnan(combined)
    if rule.guards and "guard" in columns:
        passing &= columns["guard"] == 0
    for values, least in ((columns.get("clip_cosine"), rule.clip_min),
                          (columns.get(ssim_column(rule.preset)), rule.ssim_min), (combined, rule.combined_min)):
        if values is not None and least is not None:
            passing &= values >= least
    if rule.where is not None:
        passing &= matching(rule.where, columns)
    return passing


def _keys(rule: SelectionRule, combined: NDArray[np.float32], columns: Columns) -> NDArray[np.uint64]:
    return random_keys(rule.seed, columns) if rule.random else keys_of(combined, columns)


def _cut(rule: SelectionRule, columns: Columns, keys: NDArray[np.uint64], mask: _Mask, forced: _Mask) -> _Mask:
    rows = np.flatnonzero(mask)
    if rule.best_per_caption:
        rows = best_in_group(columns["caption_code"], keys, forced, rows, 1)
    if rule.drop_duplicates:
        rows = without_duplicates(columns["phash"].astype(np.uint64, copy=False), keys, forced, rows)
    if rule.per_cluster is not None:
        # A row without a cluster belongs to no group whose size could be capped: only a verdict keeps it.
        rows = rows[(columns["cluster"][rows] >= 0) | forced[rows]]
        rows = best_in_group(columns["cluster"], keys, forced, rows, rule.per_cluster)
    if rule.top_k is not None or rule.keep_ratio is not None:
        rows = _best(rows, keys, forced, _room(rule, len(rows)))
    kept = np.zeros(len(mask), bool)
    kept[rows] = True
    return kept


def _room(rule: SelectionRule, available: int) -> int:
    if rule.top_k is not None:
        return rule.top_k
    # Rounded down, as the reference does; the tiny term keeps 0.29 * 100 from becoming 28.
    return int((rule.keep_ratio or 0.0) * available + 1e-9)


def _best(rows: NDArray[np.int64], keys: NDArray[np.uint64], forced: _Mask, room: int) -> NDArray[np.int64]:
    held, free = rows[forced[rows]], rows[~forced[rows]]
    room = max(room - len(held), 0)
    if room < len(free):
        ordered = keys[free]
        least = np.partition(ordered, len(free) - room)[len(free) - room] if room else None
        free = free[ordered >= least] if least is not None else free[:0]
    return np.concatenate((held, free))


def _bad(what: str, where: str, fix: str) -> BadSetting:
    return BadSetting(what, where=where, fix=fix)
