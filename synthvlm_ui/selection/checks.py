"""What can be wrong with a rule before it is resolved: numbers out of range, settings that exclude each other, columns
that are not there. Decides nothing.
"""

from __future__ import annotations

import numpy as np

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection.columns import Columns, also, require
from synthvlm_ui.selection.filters import check_filter
from synthvlm_ui.selection.presets import preset, ssim_column

NEAR_DUPLICATES = ("phash", "embedding", "both")
MOST_DUPLICATE_BITS = 10
LEAST_DUPLICATE_COSINE = 0.5


def check_rule(rule: SelectionRule, columns: Columns) -> None:
    """Raises BadSetting when a number is outside its range, two settings exclude each other, or a column is missing."""
    preset(rule.preset)
    _check_sizes(rule)
    _check_near_duplicates(rule)
    for name in ("clip_scale", "ssim_weight", "clip_min", "ssim_min", "combined_min"):
        value = getattr(rule, name)
        if value is not None and not np.isfinite(value):
            raise _bad(f"{name} {value} is not a finite number", name, "Give a number.")
    if rule.seed < 0:
        raise _bad(f"seed {rule.seed} is below 0", "seed", "Give a number from 0 on.")
    for name, wanted_by in _needed(rule):
        require(columns, name, wanted_by)
    if "phash" in near_duplicates_of(rule) and columns["phash"].dtype.kind != "u":
        raise _bad(f"the column 'phash' holds {columns['phash'].dtype}, not 64-bit hashes", "near_duplicates",
                   "Leave the near duplicates in.")
    if rule.where is not None:
        check_filter(rule.where, also(columns, "combined", lambda: np.zeros(0, np.float32)))


def near_duplicates_of(rule: SelectionRule) -> tuple[str, ...]:
    """By what a rule finds near duplicates: "phash", "embedding", both in this order, or nothing."""
    if rule.near_duplicates == "both":
        return ("phash", "embedding")
    if rule.near_duplicates is not None:
        return (rule.near_duplicates,)
    return ("phash",) if rule.drop_duplicates else ()


def _check_sizes(rule: SelectionRule) -> None:
    if rule.top_k is not None and rule.keep_ratio is not None:
        raise _bad("top_k and keep_ratio at once", "top_k", "Give one of them.")
    if rule.keep_ratio is not None and not 0 < rule.keep_ratio <= 1:
        raise _bad(f"keep_ratio {rule.keep_ratio} is outside (0, 1]", "keep_ratio", "Give a fraction such as 0.1.")
    for name, least in (("top_k", 1), ("per_cluster", 1), ("skip_top", 0)):
        value = getattr(rule, name)
        if value is not None and value < least:
            raise _bad(f"{name} {value} is below {least}", name, f"Give a number from {least} on.")


def _check_near_duplicates(rule: SelectionRule) -> None:
    if rule.near_duplicates not in (None, *NEAR_DUPLICATES):
        raise _bad(f"near duplicates by {rule.near_duplicates!r}", "near_duplicates",
                   f"Choose one of {', '.join(NEAR_DUPLICATES)}.")
    if not 0 <= rule.duplicate_bits <= MOST_DUPLICATE_BITS:
        raise _bad(f"duplicate_bits {rule.duplicate_bits} is outside 0 to {MOST_DUPLICATE_BITS}", "duplicate_bits",
                   "Give the bits of 64 in which the hashes of two alike images may differ.")
    if not LEAST_DUPLICATE_COSINE <= rule.duplicate_cosine <= 1:
        raise _bad(f"duplicate_cosine {rule.duplicate_cosine} is outside {LEAST_DUPLICATE_COSINE} to 1",
                   "duplicate_cosine", "Give the cosine from which two embeddings are alike, such as 0.95.")


def _needed(rule: SelectionRule) -> list[tuple[str, str]]:
    named = f"the preset {rule.preset!r}"
    ssim = ssim_column(rule.preset)
    by = near_duplicates_of(rule)
    asked = [
        (rule.clip_scale != 0 and not rule.random, "clip_cosine", named),
        (rule.ssim_weight != 0 and not rule.random, ssim, named),
        (rule.clip_min is not None, "clip_cosine", "clip_min"),
        (rule.ssim_min is not None, ssim, "ssim_min"),
        (rule.combined_min is not None and rule.clip_scale != 0, "clip_cosine", "combined_min"),
        (rule.combined_min is not None and rule.ssim_weight != 0, ssim, "combined_min"),
        (rule.best_per_caption, "caption_code", "best_per_caption"),
        ("phash" in by, "phash", "near_duplicates"),
        ("embedding" in by, "embedding", "near_duplicates"),
        (rule.per_cluster is not None, "cluster", "per_cluster"),
    ]
    return [(name, wanted_by) for is_asked, name, wanted_by in asked if is_asked]


def _bad(what: str, where: str, fix: str) -> BadSetting:
    return BadSetting(what, where=where, fix=fix)
