"""A curation as people read it: survivors per rule, histograms, examples with the offending part marked.

Formats what was measured and decided; measures and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules import (
    ABOUT_PRESETS,
    BY_NAME,
    GROUP_RULES,
    PRESETS,
    RULES,
    SDXL_SCORES,
    SHIPPED_SOURCE,
    SKILL_NAMES,
    CurationSettings,
    Decision,
    decide,
    mark_shared,
    preset_settings,
    skills_of,
)
from synthvlm_ui.service.captions.caption_measures import Measured

# Share, in the histogram's range, that a single extreme caption may not stretch.
_TAIL = 0.0005


def steps_of(decision: Decision) -> list[dict[str, Any]]:
    """Survivors per rule in order."""
    return [{"rule": step.rule, "title": BY_NAME[step.rule].title, "entered": step.entered, "rejected": step.rejected,
             "left": step.left, "alone": step.alone, "unmeasured": step.unmeasured, "unavailable": step.unavailable,
             "limits": dict(step.limits)} for step in decision.steps]


def reasons_of(decision: Decision) -> dict[str, int]:
    """How many captions each rule rejected, rules that rejected none left out."""
    return {step.rule: step.rejected for step in decision.steps if step.rejected}


def preset_comparison(measured: Measured) -> dict[str, dict[str, Any]]:
    """What each preset would keep of the same captions: they differ by the floor of special characters."""
    found = {}
    for name in PRESETS:
        decision = decide(preset_settings(name), measured.columns, len(measured.ids), measured.unavailable)
        found[name] = {"about": ABOUT_PRESETS[name], "kept": int(decision.survives.sum()),
                       "reasons": reasons_of(decision)}
    return found


def skill_counts(measured: Measured) -> list[dict[str, Any]]:
    """How many captions need each skill that SDXL is weak at, with its GenEval score."""
    bits = measured.columns["difficulty"].astype(np.int64)
    return [{"skill": skill, "captions": int((bits >> place & 1).sum()), "sdxl_geneval": SDXL_SCORES[skill]}
            for place, skill in enumerate(SKILL_NAMES)]


def describe_rules(settings: CurationSettings, measured: Measured) -> list[dict[str, Any]]:
    """Every rule with what it is set to: what a form is made of."""
    rows = []
    for rule in RULES:
        values = settings.rules.get(rule.name)
        about = f"{rule.about} List: {settings.options('flagged_words').get('list') or SHIPPED_SOURCE}." \
            if rule.name == "flagged_words" else rule.about
        rows.append({"name": rule.name, "title": rule.title, "about": about, "family": rule.family,
                     "on": values is not None, "digits": rule.digits,
                     "unavailable": measured.unavailable.get(rule.name, ""), "values": dict(values or {}),
                     "parameters": {name: {"kind": one.kind, "about": one.about, "default": one.default}
                                    for name, one in rule.parameters.items()}})
    return rows


def statistic_histogram(values: NDArray[Any], kept: NDArray[np.bool_], bins: int) -> dict[str, Any] | None:
    """Counts of all and of kept captions; the range leaves out the last half per mille at each end, which stands in the
    outermost bins. None when nothing was measured."""
    known = ~np.isnan(values)
    finite = values[known]
    if not len(finite):
        return None
    low, high = (float(edge) for edge in np.quantile(finite, (_TAIL, 1 - _TAIL)))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    clipped = np.clip(values, low, high)
    every, edges = np.histogram(clipped[known], bins, (low, high))
    survived, _ = np.histogram(clipped[known & kept], bins, (low, high))
    return {"edges": edges.tolist(), "all": every.tolist(), "kept": survived.tolist(), "min": float(finite.min()),
            "max": float(finite.max()), "mean": float(finite.mean()), "std": float(finite.std()),
            "percentiles": np.percentile(finite, np.arange(101)).tolist()}


def example(measured: Measured, settings: CurationSettings, row: int, rule: str) -> dict[str, Any]:
    """One caption as a rule sees it, with [start, end) of what it minds."""
    text = measured.texts[row]
    known = measured.columns.get(rule)
    value = float(known[row]) if known is not None else float("nan")
    found: dict[str, Any] = {"id": measured.ids[row], "caption": text, "value": None if np.isnan(value) else value,
                             "marks": [], "note": ""}
    if not rule:
        return found
    other = measured.columns.get(GROUP_RULES.get(rule, ""))
    low, _ = settings.limits(rule)
    if other is not None and int(other[row]) != row:
        found["other"] = {"id": measured.ids[int(other[row])], "caption": measured.texts[int(other[row])]}
        found["marks"] = mark_shared(text, found["other"]["caption"])
    elif low is not None and value < low and rule != "llm_gate":
        found["note"] = f"too low: {value:.4g} of at least {low:.4g}"
        found["marks"] = BY_NAME[rule].mark(text, settings.options(rule)) if rule == "alphanumeric" else []
    else:
        found["marks"] = BY_NAME[rule].mark(text, settings.options(rule))
    if rule == "difficulty":
        found["note"] = ", ".join(skills_of(value))
    return found


def calibrated(settings: CurationSettings, measured: Measured, low: float, high: float) -> dict[str, dict[str, float]]:
    """The limits that the rules in force would have at these percentiles of the captions' own statistics.

    A rule keeps the sides it has: one with only a maximum gets only a maximum. Two-valued statistics are left alone.
    """
    found: dict[str, dict[str, float]] = {}
    for name in settings.rules:
        values = measured.columns.get(name)
        if values is None or name in measured.unavailable or BY_NAME[name].digits == 0 and _is_two_valued(values):
            continue
        finite = values[~np.isnan(values)]
        sides = settings.limits(name)
        if len(finite) and any(side is not None for side in sides):
            found[name] = {side: float(np.percentile(finite, share)) for side, share, limit
                           in (("min", low, sides[0]), ("max", high, sides[1])) if limit is not None}
    return found


def _is_two_valued(values: NDArray[Any]) -> bool:
    return len(np.unique(values[~np.isnan(values)][:10000])) <= 2


def limits_text(limits: Mapping[str, Any]) -> str:
    """``0.6 to 0.9``, ``at least 0.6``, ``at most 0.1``, or the parameters when there is no limit."""
    low, high = limits.get("min"), limits.get("max")
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    if high is not None:
        return f"at most {high:g}"
    return ", ".join(f"{name} {_listed(value)}" for name, value in limits.items())


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
