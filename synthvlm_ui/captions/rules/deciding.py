"""Which captions survive the rules, one rule after the other, and what each rule took. Pure functions on columns.

A caption that a rule could not measure (NaN) passes it. Of duplicates the first survivor stays. Knows no human verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.catalogue import GROUP_RULES, RULES
from synthvlm_ui.captions.rules.settings import CurationSettings
from synthvlm_ui.captions.rules.wording import SKILL_NAMES

Columns = Mapping[str, NDArray[Any]]
SURVIVED = -1


@dataclass(frozen=True)
class Step:
    """What one rule did at its place: how many captions came to it, how many it rejected, and how many it would have
    rejected alone. ``unavailable`` says why it did nothing."""

    rule: str
    entered: int
    rejected: int
    alone: int
    unmeasured: int = 0
    unavailable: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.entered - self.rejected


@dataclass(frozen=True)
class Decision:
    """``rejected_by``: place among RULES of what rejected each caption, -1 for survivors. Shape (captions,)."""

    rejected_by: NDArray[np.int8]
    steps: tuple[Step, ...]

    @property
    def survives(self) -> NDArray[np.bool_]:
        return self.rejected_by == SURVIVED


def decide(settings: CurationSettings, columns: Columns, count: int, unavailable: Mapping[str, str]) -> Decision:
    """Applies the rules that are on in their order.

    ``columns``: statistics by rule name, shape (captions,). ``unavailable``: why a rule cannot be applied, by name.
    """
    rejected_by = np.full(count, SURVIVED, dtype=np.int8)
    steps = []
    for place, rule in enumerate(RULES):
        if rule.name not in settings.rules:
            continue
        alive = rejected_by == SURVIVED
        entered = int(alive.sum())
        reason = unavailable.get(rule.name, "") or ("" if rule.name in columns else "it was not measured")
        if reason:
            steps.append(Step(rule.name, entered, 0, 0, entered, reason, dict(settings.rules[rule.name])))
            continue
        failed = _failed(settings, rule.name, columns, alive)
        alone = _failed(settings, rule.name, columns, np.ones(count, dtype=bool))
        rejected_by[failed & alive] = place
        unmeasured = int((np.isnan(columns[rule.name]) & alive).sum())
        steps.append(Step(rule.name, entered, int((failed & alive).sum()), int(alone.sum()), unmeasured, "",
                          dict(settings.rules[rule.name])))
    return Decision(rejected_by, tuple(steps))


def _failed(settings: CurationSettings, name: str, columns: Columns, alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    values, options = columns[name], settings.options(name)
    if name == "difficulty":
        return _needs(values, options.get("exclude") or ())
    low, high = settings.limits(name)
    if name in GROUP_RULES:
        linked = values > high if high is not None else np.zeros(len(values), dtype=bool)
        return _later(linked, columns[GROUP_RULES[name]], alive)
    failed = np.zeros(len(values), dtype=bool)
    if low is not None:
        failed |= values < low
    if high is not None:
        failed |= values > high
    if options.get("keep_ratio") is not None:
        failed |= _below_top(values, float(options["keep_ratio"]), alive)
    return failed


def _needs(bits: NDArray[Any], skills: tuple[str, ...]) -> NDArray[np.bool_]:
    wanted = sum(1 << SKILL_NAMES.index(skill) for skill in skills)
    return (np.nan_to_num(bits).astype(np.int64) & wanted) != 0


def _later(linked: NDArray[np.bool_], other: NDArray[Any], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All of each group but its first living member. ``other``: an earlier caption of the group, where ``linked``."""
    root = np.where(linked, other, np.arange(len(other))).astype(np.int64)
    while True:
        further = root[root]
        if np.array_equal(further, root):
            break
        root = further
    first = np.full(len(root), len(root), dtype=np.int64)
    living = np.flatnonzero(alive)
    np.minimum.at(first, root[living], living)
    return alive & (first[root] < np.arange(len(root)))


def _below_top(values: NDArray[Any], ratio: float, alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    measured = np.flatnonzero(alive & ~np.isnan(values))
    keep = int(np.ceil(ratio * len(measured)))
    order = measured[np.argsort(-values[measured], kind="stable")]
    failed = np.zeros(len(values), dtype=bool)
    failed[order[keep:]] = True
    return failed
