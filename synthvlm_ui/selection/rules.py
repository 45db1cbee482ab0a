"""Resolves a rule against columns: who passes, who is kept, in which order.

The steps, each best first by (combined score descending, candidate id ascending): filters (images that failed, guards,
thresholds, ``where``) -> one per caption -> no near duplicates -> at most so many per cluster -> without the first
skip_top -> top_k or keep_ratio. Human verdicts override all of it. Knows no file, no store and no image; equal columns
in another order of rows give the same ids in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection.checks import check_rule, near_duplicates_of
from synthvlm_ui.selection.columns import Columns, also, captions_in, leaving_out, size_of
from synthvlm_ui.selection.duplicates import best_in_group, without_duplicates, without_similar
from synthvlm_ui.selection.filters import matching
from synthvlm_ui.selection.presets import ssim_column
from synthvlm_ui.selection.ranking import best_first, combined_score, keys_of, random_keys

_Mask = NDArray[np.bool_]
_Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """What a rule ranks by; depends on ``scoring_of(rule)`` and the columns alone, so that many rules can share it.

    Shapes: ``combined`` (N,) float32, NaN where it cannot be had; ``keys`` (N,) uint64, higher is better, none twice;
    ``eligible`` the rows, (N,) bool, that could be kept whatever the thresholds: with guards (True) and without.
    """

    combined: NDArray[np.float32]
    keys: NDArray[np.uint64]
    eligible: dict[bool, _Mask] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """Rows kept, and what was worked out on the way to them.

    Shapes: every mask is (N,) bool. ``passed`` are the rows that pass the filters, before anything is ranked and before
    any verdict; ``forced`` those a verdict keeps, ``rejected`` those one rejects.
    """

    mask: _Mask
    passed: _Mask
    forced: _Mask
    rejected: _Mask


@dataclass(frozen=True)
class Resolved:
    """What a rule keeps.

    Shapes: ``ordinals`` (kept,) int64 rows, best first; ``combined`` and ``passed`` as in Scored and Choice.
    ``overridden_keep`` counts rows kept only by a verdict, ``overridden_reject`` rows out only by one.
    ``thresholds`` holds the rule's own and ``combined_cut``, the score of the last row kept by rank (None if none).
    """

    ordinals: _Rows
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
    """The counts of a rule; ``mask`` is (N,) bool, the rows kept."""

    total: int
    kept: int
    captions_kept: int
    captions_total: int
    mask: _Mask


def scoring_of(rule: SelectionRule) -> tuple[object, ...]:
    """The settings of a rule that ``scored`` depends on."""
    order = ("random", rule.seed) if rule.random else ("best",)
    return (rule.preset, rule.clip_scale, rule.ssim_weight, rule.normalise, *order)


def scored(rule: SelectionRule, columns: Columns) -> Scored:
    """The combined score and the order that follows from it. Raises: BadSetting for a missing column, CorruptData."""
    size_of(columns)
    combined = _combined(rule, columns)
    return Scored(combined, random_keys(rule.seed, columns) if rule.random else keys_of(combined, columns))


def resolve(rule: SelectionRule, columns: Columns) -> Resolved:
    """The rows that the rule keeps, best first.

    Columns: candidate_id (or id_rank), caption_code, clip_cosine, ssim; ok, guard and verdict where there are any;
    phash, embedding (N, D), cluster and those of ``where`` when the rule needs them. Thresholds are inclusive and NaN
    never passes. Raises: BadSetting (see check_rule).
    """
    check_rule(rule, columns)
    ranked = scored(rule, columns)
    choice = choose(rule, columns, ranked)
    kept_by, dropped_by = overridden(rule, columns, choice, ranked)
    return Resolved(
        ordinals=best_first(ranked.keys, np.flatnonzero(choice.mask)),
        combined=ranked.combined,
        thresholds=thresholds_of(rule, choice, ranked),
        passed=choice.passed,
        overridden_keep=int(np.count_nonzero(kept_by)),
        overridden_reject=int(np.count_nonzero(dropped_by)),
        captions_kept=captions_in(columns, choice.mask),
        captions_total=captions_in(columns),
    )


def yield_of(rule: SelectionRule, columns: Columns) -> Yield:
    """How much the rule keeps, without sorting what it keeps. Raises: BadSetting (see check_rule)."""
    check_rule(rule, columns)
    mask = choose(rule, columns, scored(rule, columns)).mask
    return Yield(len(mask), int(np.count_nonzero(mask)), captions_in(columns, mask), captions_in(columns), mask)


def thresholds_of(rule: SelectionRule, choice: Choice, ranked: Scored,
                  rows: _Rows | None = None) -> dict[str, float | None]:
    """The thresholds a rule sets itself, None where it sets none, and where its ranking cut; ``rows`` are those of the
    mask, for a caller that has them."""
    rows = np.flatnonzero(choice.mask) if rows is None else rows
    free = rows[~choice.forced[rows]] if choice.forced.any() else rows
    found: dict[str, float | None] = {name: getattr(rule, name) for name in ("clip_min", "ssim_min", "combined_min")}
    found["combined_cut"] = float(ranked.combined[free].min()) if len(free) and not rule.random else None
    by = near_duplicates_of(rule)
    if "phash" in by:
        found["duplicate_radius_bits"] = float(rule.duplicate_bits)
    if "embedding" in by:
        found["duplicate_cosine"] = rule.duplicate_cosine
    return found


def choose(rule: SelectionRule, columns: Columns, ranked: Scored, passed: _Mask | None = None) -> Choice:
    """Who is kept. ``passed`` spares working out again what depends on no verdict. Does not check the rule."""
    size = size_of(columns)
    usable = columns["ok"].astype(bool, copy=False) if "ok" in columns else np.ones(size, bool)
    if passed is None:
        passed = _passing(rule, columns, ranked, usable)
    if rule.verdicts and "verdict" in columns:
        forced, rejected = (columns["verdict"] > 0) & usable, columns["verdict"] < 0
        mask = (passed & ~rejected) | forced
    else:
        mask, forced, rejected = passed, np.zeros(size, bool), np.zeros(size, bool)
    if not decides_row_by_row(rule):
        mask = _cut(rule, columns, ranked.keys, mask, forced)
    return Choice(mask, passed, forced, rejected)


def overridden(rule: SelectionRule, columns: Columns, choice: Choice, ranked: Scored) -> tuple[_Mask, _Mask]:
    """The rows kept only by a verdict, and those out only by one: two (N,) bool masks."""
    if not (choice.forced.any() or choice.rejected.any()):
        return choice.forced, choice.rejected
    plain = choice.passed
    if not decides_row_by_row(rule):
        plain = choose(rule, leaving_out(columns, "verdict"), ranked, choice.passed).mask
    return choice.forced & ~plain, choice.rejected & plain


def decides_row_by_row(rule: SelectionRule) -> bool:
    """Whether each row is decided by itself, whatever others there are."""
    return not (rule.best_per_caption or near_duplicates_of(rule) or rule.per_cluster or rule.skip_top or rule.top_k
                or rule.keep_ratio)


def _combined(rule: SelectionRule, columns: Columns) -> NDArray[np.float32]:
    """The combined score; a random baseline does without when the scores are not there."""
    wanted = [name for name, weight in (("clip_cosine", rule.clip_scale), (ssim_column(rule.preset), rule.ssim_weight))
              if weight != 0]
    if rule.random and rule.combined_min is None and any(name not in columns for name in wanted):
        return np.full(size_of(columns), np.nan, np.float32)
    return combined_score(rule, columns)


def _passing(rule: SelectionRule, columns: Columns, ranked: Scored, usable: _Mask) -> _Mask:
    """Filters only. A comparison with NaN is false, so a missing number passes nothing."""
    combined = ranked.combined
    if rule.guards not in ranked.eligible:
        eligible = usable.copy() if rule.random else usable & ~np.isnan(combined)
        if rule.guards and "guard" in columns:
            eligible &= columns["guard"] == 0
        ranked.eligible[rule.guards] = eligible
    passing = ranked.eligible[rule.guards].copy()
    for name, least in (("clip_cosine", rule.clip_min), (ssim_column(rule.preset), rule.ssim_min)):
        if least is not None and name in columns:
            passing &= columns[name] >= least
    if rule.combined_min is not None:
        passing &= combined >= rule.combined_min
    if rule.where is not None:
        passing &= matching(rule.where, also(columns, "combined", lambda: combined))
    return passing


def _cut(rule: SelectionRule, columns: Columns, keys: NDArray[np.uint64], mask: _Mask, forced: _Mask) -> _Mask:
    rows = np.flatnonzero(mask)
    if rule.best_per_caption:
        rows = best_in_group(columns["caption_code"], keys, forced, rows, 1)
    by = near_duplicates_of(rule)
    if "phash" in by:
        rows = without_duplicates(columns["phash"].astype(np.uint64, copy=False), keys, forced, rows,
                                  rule.duplicate_bits)
    if "embedding" in by:
        rows = without_similar(columns["embedding"], keys, forced, rows, rule.duplicate_cosine)
    if rule.per_cluster is not None:
        # A row without a cluster belongs to no group whose size could be capped: only a verdict keeps it.
        rows = rows[(columns["cluster"][rows] >= 0) | forced[rows]]
        rows = best_in_group(columns["cluster"], keys, forced, rows, rule.per_cluster)
    if rule.skip_top:
        rows = _without_top(rows, keys, forced, rule.skip_top)
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


def _best(rows: _Rows, keys: NDArray[np.uint64], forced: _Mask, room: int) -> _Rows:
    held, free = rows[forced[rows]], rows[~forced[rows]]
    room = max(room - len(held), 0)
    if room < len(free):
        free = free[keys[free] >= _key_of_place(keys[free], room)] if room else free[:0]
    return np.concatenate((held, free))


def _without_top(rows: _Rows, keys: NDArray[np.uint64], forced: _Mask, skipped: int) -> _Rows:
    """All but the best so many; what a verdict keeps stays, and takes no place among them."""
    held, free = rows[forced[rows]], rows[~forced[rows]]
    free = free[keys[free] < _key_of_place(keys[free], skipped)] if skipped < len(free) else free[:0]
    return np.concatenate((held, free))


def _key_of_place(keys: NDArray[np.uint64], place: int) -> np.uint64:
    """The key of the row at this place, counted from 1 and from the best."""
    found: np.uint64 = np.partition(keys, len(keys) - place)[len(keys) - place]
    return found
