"""Numbers about a rule: histograms, percentiles, how scores go together, entropy over clusters, agreement with people.

Only reads; every number belongs to one view. Knows no page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import (
    Binning,
    captions_of,
    choose,
    combined_score,
    correlations,
    judge,
    leaving_out,
    percentile_of,
    ssim_column,
    value_at,
)
from synthvlm_ui.selection.agreement import ENOUGH_OF_EACH
from synthvlm_ui.service.curation.finding_desk import FindingDesk
from synthvlm_ui.service.curation.scope import BINS, Scope
from synthvlm_ui.service.curation.view import SCORES, View
from synthvlm_ui.service.curation.view_state import Find
from synthvlm_ui.service.curation.views import Views
from synthvlm_ui.service.dataset_rows import number
from synthvlm_ui.store import Workspace

HISTOGRAMS = SCORES
_MOST_COLUMNS = 12
_SAMPLE_ROWS = 100_000
_PERCENTS = np.linspace(0, 100, 101)


class InsightDesk:
    """``studio.insight``."""

    def __init__(self, workspace: Workspace, views: Views) -> None:
        self._workspace, self._views = workspace, views

    def histograms(self, rule: SelectionRule, bins: int = BINS, columns: Sequence[str] = HISTOGRAMS) -> dict[str, Any]:
        """Counts of all, of kept and of real images per bin for each score. Raises: BadSetting for an unknown score."""
        view = self._views.of(rule)
        names = tuple(dict.fromkeys(columns))[:_MOST_COLUMNS]
        kept = dict(zip(SCORES, view.histograms, strict=True)) if bins == BINS else {}
        return {name: _histogram(view, name, bins, kept.get(name)) for name in names}

    def score_columns(self, rule: SelectionRule) -> list[str]:
        """The scores that a histogram can be made of."""
        names = self._views.scope(rule.dataset).score_names
        every = dict.fromkeys((*HISTOGRAMS, *names))
        return [name for name in every if name not in ("guard", "truncated")] if names else []

    def found(self, finding: FindingDesk, rule: SelectionRule, find: Find) -> dict[str, Any]:
        """How much a search finds in the rule's datasets. Raises: UnknownName, ModelUnavailable."""
        return finding.find(self._views.scope(rule.dataset), find)

    def percentile(self, rule: SelectionRule, column: str, *, value: float | None = None,
                   percentile: float | None = None) -> dict[str, Any]:
        """The percentile of a value of a score, or the value at a percentile, and how many candidates have at least it.

        Raises: BadSetting.
        """
        scope = self._views.scope(rule.dataset)
        ordered = scope.sorted_values(column, rule)
        if (value is None) == (percentile is None):
            raise BadSetting("neither a value nor a percentile", where="value", fix="Give one of them.")
        if percentile is not None:
            if not 0 <= percentile <= 100:
                raise BadSetting(f"percentile {percentile} is outside 0 to 100", where="percentile")
            value = value_at(ordered, percentile)
        if value is None:
            return {"value": None, "percentile": percentile, "at_least": 0}
        if value != value:
            raise BadSetting("the value is not a number", where="value", fix="Give a number, such as 0.25.")
        at_least = len(ordered) - int(np.searchsorted(ordered, np.float32(value), "left"))
        return {"value": value, "percentile": percentile_of(ordered, value), "at_least": at_least}

    def datasets(self, rule: SelectionRule) -> list[dict[str, Any]]:
        """What the rule keeps of each of its datasets."""
        view, found = self._views.of(rule), []
        codes = view.columns["caption_code"]
        for name in view.scope.datasets:
            inside = view.columns["dataset"].matching("==", name) if name in self._workspace.columns.datasets \
                else np.zeros(len(view.kept), bool)
            total, kept = int((inside & view.columns["ok"]).sum()), int((inside & view.kept).sum())
            found.append({"name": name, "total": total, "kept": kept, "kept_share": kept / total if total else 0.0,
                          "captions_total": captions_of(codes, np.flatnonzero(inside)),
                          "captions_kept": captions_of(codes, np.flatnonzero(inside & view.kept))})
        return found

    def entropy(self, rule: SelectionRule) -> dict[str, Any] | None:
        """How evenly the kept candidates spread over the current clusters (Synth2 section 4.4); None without clusters.

        Units: bits. ``effective_clusters`` is two to the power of the entropy.
        """
        view = self._views.of(rule)
        if "cluster" not in view.columns:
            return None
        clusters = view.columns["cluster"]
        k = max(len(view.scope.cluster_names), int(clusters.max(initial=-1)) + 1)
        sizes, every = _sizes(clusters[view.kept], k), _sizes(clusters[view.columns["ok"]], k)
        bits = _entropy_bits(sizes)
        return {"k": k, "bits": bits, "max_bits": float(np.log2(k)) if k else 0.0, "effective_clusters": 2.0**bits,
                "sizes": sizes.tolist(), "all_sizes": every.tolist(), "all_bits": _entropy_bits(every),
                "names": view.scope.cluster_names or None, "unknown": int((clusters[view.kept] < 0).sum())}

    def statistics(self, rule: SelectionRule) -> dict[str, Any]:
        """How the scores go together, and the share of the ranking's variance that each term contributes.

        Over all candidates, or an even sample of 100,000 where there are more.
        """
        view = self._views.of(rule)
        names = [name for name in dict.fromkeys(("clip_cosine", "ssim", "combined", *view.scope.score_names))
                 if name not in ("guard", "truncated")]
        step = -(-len(view.kept) // _SAMPLE_ROWS) or 1
        table = {name: view.scope.values(name, rule)[::step] for name in names}
        table = {name: column for name, column in table.items() if np.isfinite(column).any()}
        complete = np.isfinite(np.stack(list(table.values()))).all(axis=0) if table else np.zeros(0, bool)
        return {"columns": list(table), "n": int(complete.sum()), **correlations(table),
                "variance_share": view.scope.variance_share(rule),
                "spread": {name: number(np.nanstd(column)) for name, column in table.items()}}

    def judged(self, rule: SelectionRule) -> dict[str, Any]:
        """Precision and recall of the rule against what people decided one by one, with 95 % intervals, and the cut of
        the combined score that would agree with them best. Bulk acts do not count: they follow from a rule."""
        view = self._views.of(rule)
        plain = choose(rule, leaving_out(view.columns, "verdict"), view.ranked, view.choice.passed).mask
        event = view.scope.verdict_event()
        bulk = np.isin(event, self._workspace.journal.bulk_events())
        verdict = np.where(bulk, 0, view.columns["verdict"])
        found = judge(verdict, plain, view.ranked.combined)
        cut = None
        if found.cut is not None:
            value, precision, recall, f1 = found.cut
            moved = replace(rule, combined_min=value, top_k=None, keep_ratio=None)
            kept = int(np.count_nonzero(choose(moved, view.columns, view.ranked).mask))
            cut = {"column": "combined", "value": value, "precision": precision, "recall": recall, "f1": f1,
                   "kept": kept}
        least = ENOUGH_OF_EACH
        needs = "" if cut else f"A cut is suggested from {least} kept and {least} rejected by hand on."
        return {"k": found.keep + found.reject, "keep": found.keep, "reject": found.reject, "confidence": 0.95,
                "precision": _share(found.precision, int(np.count_nonzero(plain & (verdict != 0)))),
                "recall": _share(found.recall, found.keep), "cut": cut, "needs": needs}


def _share(found: tuple[float, float, float] | None, of: int) -> dict[str, Any] | None:
    return None if found is None else {"value": found[0], "low": found[1], "high": found[2], "n": of}


def _histogram(view: View, name: str, bins: int, kept: NDArray[np.int64] | None) -> dict[str, Any]:
    scope, rule = view.scope, view.rule
    facts = scope.spread(name, rule)
    if not facts["count"]:
        return {"edges": [], "all": [], "kept": [], "real": None, "min": None, "max": None, "mean": None, "std": None,
                "real_mean": None, "percentiles": []}
    binning = scope.binning(name, rule, bins)
    if kept is None:
        kept = binning.kept(view.kept)
    real = scope.of_real(name, rule, bins, lambda: _real_histogram(scope, name, rule, binning))
    return {"edges": np.round(binning.edges, 6), "all": binning.total, "kept": kept, **real,
            "min": number(facts["min"]), "max": number(facts["max"]), "mean": number(facts["mean"]),
            "std": number(facts["std"]), "percentiles": _percentiles(scope, name, rule, binning)}


def _real_histogram(scope: Scope, name: str, rule: SelectionRule, binning: Binning) -> dict[str, Any]:
    """Counts of the real images in the same bins, and their mean; None without any."""
    real = _real(scope, name, rule)
    finite = np.zeros(0, np.float32) if real is None else real[np.isfinite(real)]
    if not len(finite):
        return {"real": None, "real_mean": None}
    return {"real": Binning(finite, binning.bins, (binning.edges[0], binning.edges[-1])).total,
            "real_mean": number(finite.mean())}


def _real(scope: Scope, name: str, rule: SelectionRule) -> NDArray[np.float32] | None:
    """A score of the real images, as the rule means it; a z-score of other images would mean something else."""
    if name != "combined":
        return scope.real(name)
    clip, ssim = scope.real("clip_cosine"), scope.real(ssim_column(rule.preset))
    if clip is None or ssim is None or rule.normalise:
        return None
    return combined_score(rule, {"clip_cosine": clip, ssim_column(rule.preset): ssim})


def _percentiles(scope: Scope, name: str, rule: SelectionRule, binning: Binning) -> NDArray[np.float64]:
    """The values at the percentiles 0 to 100: exact for a score of its own, by the bins for one that moves with lambda.
    """
    if name != "combined":
        ordered = scope.sorted_values(name, rule)
        places = np.minimum((_PERCENTS / 100 * len(ordered) + 1e-9).astype(int), len(ordered) - 1)
        return np.round(ordered[places].astype(np.float64), 6)
    share = np.r_[0, np.cumsum(binning.total)] * (100 / max(int(binning.total.sum()), 1))
    return np.round(np.interp(_PERCENTS, share, binning.edges), 6)


def _sizes(clusters: NDArray[np.integer], k: int) -> NDArray[np.int64]:
    return np.bincount(clusters[clusters >= 0], minlength=k)


def _entropy_bits(sizes: NDArray[np.int64]) -> float:
    shares = sizes[sizes > 0] / max(int(sizes.sum()), 1)
    return float(-(shares * np.log2(shares)).sum()) if len(shares) else 0.0
