"""Curation: rules, live yield, pages, the strip at the cut, and named selections over the candidates in memory.

Joins the store's columns to the selection room's pure functions. Reads are plain numpy on immutable snapshots of the
columns, so a web server's threads may call them side by side; only ``select`` writes. Verdicts, numbers about a rule,
single candidates and searches have desks of their own, which this one's callers may reach through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.records import Selection, SelectionRule, Verdict
from synthvlm_ui.selection import preset
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.curation.candidate_desk import CandidateDesk
from synthvlm_ui.service.curation.finding_desk import FindingDesk
from synthvlm_ui.service.curation.insight_desk import InsightDesk
from synthvlm_ui.service.curation.items import Items
from synthvlm_ui.service.curation.verdict_desk import VerdictDesk
from synthvlm_ui.service.curation.view import View
from synthvlm_ui.service.curation.view_state import NOTHING, Find
from synthvlm_ui.service.curation.views import Views
from synthvlm_ui.store import Workspace

_MAX_PAGE = 1000
STRIP = 20
# The threshold that a strip looks across, and what else holds candidates back by the same score.
_CUTS: dict[str, tuple[str, ...]] = {"clip_cosine": ("clip_min",), "ssim": ("ssim_min",),
                                     "combined": ("combined_min", "top_k", "keep_ratio")}
_FLAGS = {"preset": "--preset", "ssim_weight": "--lambda", "clip_min": "--clip-min", "ssim_min": "--ssim-min",
          "combined_min": "--combined-min", "where": "--where", "top_k": "--top-k", "keep_ratio": "--keep-ratio",
          "skip_top": "--skip-top", "per_cluster": "--per-cluster", "near_duplicates": "--near-duplicates",
          "duplicate_bits": "--duplicate-bits", "duplicate_cosine": "--duplicate-cosine"}


class CurationDesk:
    """``studio.curation``."""

    def __init__(self, workspace: Workspace, views: Views, items: Items, finding: FindingDesk, insight: InsightDesk,
                 verdicts: VerdictDesk, candidates: CandidateDesk) -> None:
        self._workspace, self._views, self._items = workspace, views, items
        self._finding, self._insight, self._verdicts, self._candidates = finding, insight, verdicts, candidates

    def rule(self, dataset: str, **fields: Any) -> SelectionRule:
        """A rule from a preset and what the user changed of it. Raises: BadSetting, UnknownName."""
        return self._views.rule(dataset, **fields)

    def preparing(self, rule: SelectionRule) -> dict[str, Any] | None:
        """What a rule needs that takes long to find, and the share of it that is done, for a caller that does not wait;
        None when an answer is at hand. Raises: UnknownName."""
        share = self._views.waiting(rule)
        return None if share is None else {"for": "near_duplicates", "share": share}

    def close(self) -> None:
        """Ends what is being found for a rule, and waits until nothing is read from the workspace any more."""
        self._views.close()

    def yield_of(self, rule: SelectionRule) -> dict[str, Any]:
        """How much of a dataset a rule keeps, for the numbers beside the sliders while they move."""
        view = self._views.of(rule)
        verdicts, total = view.columns["verdict"], view.scope.total
        against = view.overridden
        return {
            "version": view.version, "total": total, "kept": view.kept_count,
            "kept_share": view.kept_count / total if total else 0.0,
            "captions_total": view.scope.captions_total, "captions_kept": view.captions_kept,
            "keep_verdicts": int(np.count_nonzero(verdicts > 0)),
            "reject_verdicts": int(np.count_nonzero(verdicts < 0)),
            "overridden": int(np.count_nonzero(against[0])) + int(np.count_nonzero(against[1])),
            "variance_share": dict(view.scope.variance_share(rule)),
            "real_total": len(view.scope.real_rows)}

    def thresholds(self, rule: SelectionRule) -> dict[str, float | None]:
        """The thresholds a rule sets, and the combined score of the last candidate that it keeps by rank."""
        return dict(self._views.of(rule).thresholds)

    def histograms(self, rule: SelectionRule, bins: int = 64) -> dict[str, Any]:
        """Counts of all and of kept candidates per bin, for each score and for the combined one."""
        return self._insight.histograms(rule, bins)

    def page(self, rule: SelectionRule, *, offset: int = 0, limit: int = 48, show: str = "kept",
             order: str = "combined", find: Find = NOTHING, at: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One page of candidates. ``at`` asks for the page that holds a rank or an id instead of an offset.

        Raises: BadSetting, UnknownName.
        """
        if not 1 <= limit <= _MAX_PAGE or offset < 0:
            raise BadSetting(f"page of {limit} from {offset}", where="page",
                             fix=f"Ask for 1 to {_MAX_PAGE} from 0 on.")
        view = self._views.of(rule)
        answer = {"limit": limit, "show": show, "order": order, "version": view.version, "place": None}
        if show == "real":
            ordinals = view.scope.real_rows[offset : offset + limit]
            return {**answer, "total": len(view.scope.real_rows), "offset": offset,
                    "items": self._items.real(ordinals, offset)}
        shown = self._finding.shown(view, find, show, order)
        place = self._place(view, shown, at)
        if place is not None:
            offset = place // limit * limit
        rows = view.page(shown, offset, limit)
        similarity = self._finding.similarity(view.scope, find) if find.is_by_likeness else None
        return {**answer, "total": shown.total, "offset": offset, "place": None if place is None else place - offset,
                "items": self._items.of(view, rows, offset, similarity)}

    def strip(self, rule: SelectionRule, column: str = "combined", count: int = STRIP) -> dict[str, Any]:
        """The kept candidates nearest above a threshold, and those that would come in next if it were lower."""
        view = self._views.of(rule)
        order = view.scope.order(column, rule)
        free = view.kept & ~view.choice.forced & np.isfinite(view.scope.values(column, rule))
        kept = int(np.count_nonzero(free))
        above = order.page(free, max(kept - count, 0), count)[::-1]
        lowered: dict[str, Any] = dict.fromkeys(_CUTS.get(column, ()))
        wider = self._views.of(replace(rule, **lowered))
        below = order.page(wider.kept & ~view.kept, 0, count)
        lowest = view.scope.values(column, rule)[above[:1]]
        return {"column": column, "cut": float(lowest[0]) if len(lowest) else None,
                "above": self._items.of(view, above), "below": self._items.of(view, below)}

    def select(self, name: str, rule: SelectionRule, actor: str | None = None) -> dict[str, Any]:
        """Resolves a rule and keeps the ids under a name. Raises: BadSetting, WorkspaceError."""
        self._workspace.paths.check_writable()
        view = self._views.of(rule)
        if view.scope.total and not rule.random and not np.isfinite(view.ranked.combined).any():
            raise EmptyInput(f"the candidates of {rule.dataset!r} have no scores", fix="Score them first.")
        ids = tuple(self._workspace.columns.ids_of(view.scope.rows[self._best_first(view)]))
        selection = Selection(
            name=name, rule=rule, candidate_ids=ids, total=view.scope.total, captions_kept=view.captions_kept,
            created=datetime.now(UTC).isoformat(timespec="seconds"), thresholds=dict(view.thresholds))
        path = self._workspace.selections.save(selection, self._verdicts.name_of(actor))
        return {"name": name, "total": selection.total, "kept": selection.kept,
                "captions_kept": selection.captions_kept, "thresholds": dict(selection.thresholds),
                "ids_file": str(path)}

    def selections(self) -> dict[str, Any]:
        """The named selections, without their ids."""
        rows = []
        for name in self._workspace.selections.names():
            selection = self._workspace.selections.load(name)
            rows.append({"name": name, "kept": selection.kept, "total": selection.total,
                         "captions_kept": selection.captions_kept, "dataset": selection.rule.dataset,
                         "created": selection.created})
        return {"selections": rows}

    def selection_ids(self, name: str) -> list[str]:
        """The candidate ids of a selection, best first. Raises: UnknownName."""
        return list(self._workspace.selections.load(name).candidate_ids)

    def command(self, rule: SelectionRule, name: str) -> str:
        """The command line that keeps the same candidates."""
        words = ["select", "--dataset", rule.dataset, "--name", name or "SELECTION", *rule_words(rule)]
        return command_line(self._workspace.root, words)

    # -- the other desks, for callers that know only this one

    def candidate(self, candidate_id: str) -> dict[str, Any]:
        return self._candidates.candidate(candidate_id)

    def thumbnail(self, candidate_id: str) -> bytes:
        return self._candidates.thumbnail(candidate_id)

    def image(self, candidate_id: str) -> tuple[bytes, str]:
        return self._candidates.image(candidate_id)

    def verdict(self, ids: Sequence[str], verdict: Verdict, rule: Mapping[str, Any] | None = None,
                actor: str | None = None) -> dict[str, Any]:
        return self._verdicts.verdict(ids, verdict, rule, actor)

    def undo(self, actor: str | None = None) -> dict[str, Any]:
        return self._verdicts.undo(actor)

    def redo(self, actor: str | None = None) -> dict[str, Any]:
        return self._verdicts.redo(actor)

    def events(self, limit: int = 100) -> dict[str, Any]:
        return self._verdicts.events(limit)

    def _best_first(self, view: View) -> NDArray[np.int32]:
        order = view.scope.order("combined", view.rule)
        return order.all(view.kept)

    def _place(self, view: View, shown: Any, at: Mapping[str, Any] | None) -> int | None:
        """Where the asked rank or candidate stands among what is shown. Raises: BadSetting, UnknownName."""
        if not at:
            return None
        if at.get("id"):
            ordinal = self._candidates.ordinal(str(at["id"]))
            row = int(np.searchsorted(view.scope.rows, ordinal))
            inside = row < len(view.scope.rows) and view.scope.rows[row] == ordinal
            return shown.order.place(row, shown.mask) if inside else None
        rank = at.get("rank")
        if not isinstance(rank, int) or isinstance(rank, bool) or rank < 0:
            raise BadSetting(f"{str(rank)[:40]!r} is no rank", where="rank", fix="Give a whole number from 0 on.")
        return min(rank, shown.total - 1) if shown.total else None


def rule_words(rule: SelectionRule) -> list[str]:
    """The options of the command line that make this rule."""
    words: list[str] = []
    defaults = asdict(replace(SelectionRule(rule.dataset), **{**preset(rule.preset), "preset": "paper"}))
    for field, flag in _FLAGS.items():
        value = getattr(rule, field)
        if value is not None and value != defaults[field]:
            words += [flag, f"{value:.9g}" if isinstance(value, float) else str(value)]
    words += ["--best-per-caption"] * rule.best_per_caption + ["--drop-duplicates"] * rule.drop_duplicates
    words += [] if rule.guards else ["--guards", "off"]
    words += ["--random", "--seed", str(rule.seed)] if rule.random else []
    return words
