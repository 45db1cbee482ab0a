"""Curation: rules, live yield, pages, verdicts and named selections over the candidates in memory.

Joins the store's columns to the selection room's pure functions. Reads are plain numpy on immutable snapshots of the
columns, so a web server's threads may call them side by side; only verdicts and saves write, to the journal.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.records import Selection, SelectionRule, Verdict
from synthvlm_ui.selection import Resolved, histogram, id_rank, preset, resolve, variance_share
from synthvlm_ui.service.caption_desk import command_line
from synthvlm_ui.service.view import View, dataset_columns, exact_score, number, order_of
from synthvlm_ui.store import Workspace

_REMEMBERED_RULES = 8
_MAX_PAGE = 1000


class CurationDesk:
    """``studio.curation``."""

    def __init__(self, workspace: Workspace, actor: str) -> None:
        self._workspace, self._actor = workspace, actor
        self._lock = threading.Lock()
        self._resolved: OrderedDict[tuple[Any, ...], View] = OrderedDict()
        self._parts: dict[str, tuple[int, NDArray[np.int64], dict[str, NDArray[Any]]]] = {}

    def rule(self, dataset: str, **fields: Any) -> SelectionRule:
        """A rule from a preset and what the user changed of it. Raises: BadSetting, UnknownName."""
        known = SelectionRule.__dataclass_fields__
        unknown = sorted(set(fields) - set(known))
        if unknown:
            raise BadSetting(f"a rule has no {unknown[0]!r}", fix=f"It has: {', '.join(known)}.")
        self._check_dataset(dataset)
        given = {name: value for name, value in fields.items() if value is not None}
        return SelectionRule(dataset=dataset, **{**preset(given.get("preset", "paper")), **given})

    def yield_of(self, rule: SelectionRule) -> dict[str, Any]:
        """How much of a dataset a rule keeps, for the numbers beside the sliders."""
        view = self._view(rule)
        verdicts = view.columns["verdict"]
        kept = len(view.resolved.ordinals)
        return {
            "version": view.version, "total": view.total, "kept": kept,
            "kept_share": kept / view.total if view.total else 0.0,
            "captions_total": view.resolved.captions_total,
            "captions_kept": view.resolved.captions_kept,
            "keep_verdicts": int((verdicts > 0).sum()), "reject_verdicts": int((verdicts < 0).sum()),
            "overridden": view.resolved.overridden_keep + view.resolved.overridden_reject,
            "thresholds": dict(view.resolved.thresholds), "variance_share": dict(variance_share(rule, view.columns))}

    def histograms(self, rule: SelectionRule, bins: int = 64) -> dict[str, Any]:
        """Counts of all and of kept candidates per bin, for each score and for the combined one."""
        view = self._view(rule)
        scores = {name: view.columns[name] for name in ("clip_cosine", "ssim") if name in view.columns}
        scores["combined"] = view.resolved.combined
        return {name: _histogram(values, bins, view) for name, values in scores.items()}

    def page(self, rule: SelectionRule, *, offset: int = 0, limit: int = 48, show: str = "kept",
             order: str = "combined") -> dict[str, Any]:
        """One page of candidates. ``show``: kept, dropped, all, undecided, keep, reject. Raises: BadSetting."""
        if not 1 <= limit <= _MAX_PAGE or offset < 0:
            raise BadSetting(f"page of {limit} from {offset}", fix=f"Ask for 1 to {_MAX_PAGE} from 0 on.")
        view = self._view(rule)
        rows = order_of(view, show, order)
        chosen = rows[offset:offset + limit]
        return {"total": len(rows), "offset": offset, "version": view.version,
                "items": [self._item(view, int(row)) for row in chosen]}

    def candidate(self, candidate_id: str) -> dict[str, Any]:
        """Every fact of one candidate: how it was made, its scores and their settings, its verdict, its siblings."""
        columns, ordinal = self._workspace.columns, self._ordinal(candidate_id)
        candidate = columns.candidate(ordinal)
        same = np.flatnonzero(columns.caption_code == columns.caption_code[ordinal])
        real, siblings = same[columns.is_real[same]], same[~columns.is_real[same]]
        scores = {name: number(columns.score(name)[ordinal]) for name in columns.score_columns()}
        scorers = [{"name": scorer.name, "key": scorer.key, "settings": dict(scorer.settings),
                    "scores": {name: number(value) for name, value in values.items()}}
                   for scorer, values in columns.scores_of(ordinal)]
        event = self._workspace.journal.event(int(columns.verdict_event[ordinal]))
        return {**candidate.to_json(), "scores": scores, "scorers": scorers,
                "verdict": int(columns.verdict[ordinal]), "verdict_by": event.actor if event else None,
                "verdict_at": event.at if event else None, "shard": "/".join(columns.shard_of(ordinal)),
                "siblings": columns.ids_of(siblings[siblings != ordinal]), "real": columns.ids_of(real[-1:])}

    def thumbnail(self, candidate_id: str) -> bytes:
        """WebP of at most 256 px a side. Raises: UnknownName."""
        return self._workspace.columns.thumbnail(self._ordinal(candidate_id))

    def image(self, candidate_id: str) -> tuple[bytes, str]:
        """The file as it was written, and its media type. Raises: UnknownName."""
        return self._workspace.columns.image(self._ordinal(candidate_id))

    def verdict(self, ids: Sequence[str], verdict: Verdict, rule: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Records keep, reject or clear for these candidates as one act; durable when this returns.

        Raises: UnknownName, BadSetting, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        if verdict not in ("keep", "reject", "clear"):
            raise BadSetting(f"{verdict!r} is no verdict", fix="Give keep, reject or clear.")
        if not ids:
            raise BadSetting("no candidate is named", fix="Name at least one.")
        ordinals = self._ordinals(list(dict.fromkeys(ids)))
        real = self._workspace.columns.ids_of(ordinals[self._workspace.columns.is_real[ordinals]][:1])
        if real:
            raise BadSetting(f"{real[0]} is a real image", fix="Name candidates: real images are only compared with.")
        event_id = self._workspace.journal.append_verdict(self._actor, verdict, ordinals, rule)
        self._workspace.columns.refresh()
        return {"changed": len(ordinals), "event_id": event_id}

    def undo(self) -> dict[str, Any]:
        """Takes back this actor's own latest act; "undone" is None when there is none."""
        self._workspace.paths.check_writable()
        return self._undone_or_redone("undone", self._workspace.journal.undo(self._actor))

    def redo(self) -> dict[str, Any]:
        """Does again what this actor took back last; "redone" is None when there is nothing."""
        self._workspace.paths.check_writable()
        return self._undone_or_redone("redone", self._workspace.journal.redo(self._actor))

    def events(self, limit: int = 100) -> dict[str, Any]:
        """The latest events, newest first."""
        journal = self._workspace.journal
        events = journal.events(after_id=max(0, journal.last_id() - limit))
        return {"events": [event.to_json() for event in reversed(events)]}

    def select(self, name: str, rule: SelectionRule) -> dict[str, Any]:
        """Resolves a rule and keeps the ids under a name. Raises: BadSetting, WorkspaceError."""
        self._workspace.paths.check_writable()
        view = self._view(rule)
        if view.total and not rule.random and not np.isfinite(view.resolved.combined).any():
            raise EmptyInput(f"the candidates of {rule.dataset!r} have no scores", fix="Score them first.")
        ids = tuple(self._workspace.columns.ids_of(view.rows[view.resolved.ordinals]))
        selection = Selection(
            name=name, rule=rule, candidate_ids=ids, total=view.total, captions_kept=view.resolved.captions_kept,
            created=datetime.now(UTC).isoformat(timespec="seconds"), thresholds=dict(view.resolved.thresholds))
        path = self._workspace.selections.save(selection, self._actor)
        return {"name": name, "total": selection.total, "kept": selection.kept,
                "captions_kept": selection.captions_kept, "thresholds": dict(selection.thresholds),
                "ids_file": str(path)}

    def selections(self) -> dict[str, Any]:
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
        words = ["select", "--dataset", rule.dataset, "--name", name or "SELECTION"]
        flags = {"preset": "--preset", "ssim_weight": "--lambda", "clip_min": "--clip-min", "ssim_min": "--ssim-min",
                 "combined_min": "--combined-min", "where": "--where", "top_k": "--top-k",
                 "keep_ratio": "--keep-ratio", "per_cluster": "--per-cluster"}
        defaults = asdict(replace(SelectionRule(rule.dataset), **{**preset(rule.preset), "preset": "paper"}))
        for field, flag in flags.items():
            value = getattr(rule, field)
            if value is not None and value != defaults[field]:
                words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
        words += ["--best-per-caption"] * rule.best_per_caption + ["--drop-duplicates"] * rule.drop_duplicates
        words += [] if rule.guards else ["--guards", "off"]
        words += ["--random", "--seed", str(rule.seed)] if rule.random else []
        return command_line(self._workspace.root, words)

    def _view(self, rule: SelectionRule) -> View:
        """The rule resolved against the columns as they are now; remembered, since one drag asks thrice."""
        columns = self._workspace.columns
        key = (columns.version, rule)
        with self._lock:
            if key in self._resolved:
                self._resolved.move_to_end(key)
                return self._resolved[key]
        self._check_dataset(rule.dataset)
        rows, part = self._part(columns.version, rule.dataset)
        if rule.drop_duplicates and "phash" in part:
            part = {**part, "phash": exact_score(self._workspace, rows, "phash")}
        resolved: Resolved = resolve(rule, part)
        view = View(columns.version, rows, part, resolved)
        with self._lock:
            self._resolved[key] = view
            while len(self._resolved) > _REMEMBERED_RULES:
                self._resolved.popitem(last=False)
        return view

    def _part(self, version: int, dataset: str) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        """A dataset's part of the columns, cut once per version: a drag asks for it many times a second."""
        with self._lock:
            if self._parts.get(dataset, (None,))[0] != version:
                rows, part = dataset_columns(self._workspace.columns, dataset)
                part["id_rank"] = id_rank(part["candidate_id"])
                self._parts[dataset] = (version, rows, part)
            return self._parts[dataset][1:]

    def _item(self, view: View, row: int) -> dict[str, Any]:
        candidate = self._workspace.columns.candidate(int(view.rows[row]))
        part = view.columns
        scores = {name: number(part[name][row]) if name in part else None for name in ("clip_cosine", "ssim")}
        return {"id": candidate.id, "caption": candidate.caption, **scores,
                "combined": number(view.resolved.combined[row]), "verdict": int(part["verdict"][row]),
                "kept": bool(view.kept[row]), "guard": int(number(part["guard"][row]) or 0) if "guard" in part else 0,
                "ok": bool(part["ok"][row]), "error_message": candidate.error_message,
                "w": candidate.width, "h": candidate.height}

    def _undone_or_redone(self, word: str, event: Any) -> dict[str, Any]:
        self._workspace.columns.refresh()
        if event is None:
            return {"changed": 0, "event_id": None, word: None}
        return {"changed": event.count, "event_id": event.id, word: f"{event.verdict} of {event.count}"}

    def _ordinals(self, ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int32]]:
        try:
            return self._workspace.columns.ordinals_of(ids)
        except UnknownName:
            self._workspace.columns.refresh()
            return self._workspace.columns.ordinals_of(ids)

    def _ordinal(self, candidate_id: str) -> int:
        return int(self._ordinals([candidate_id])[0])

    def _check_dataset(self, dataset: str) -> None:
        known = self._workspace.captions.datasets()
        if dataset not in known:
            raise UnknownName.of("dataset", dataset, known)


def _histogram(values: np.ndarray[Any, Any], bins: int, view: View) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"edges": [], "all": [], "kept": [], "min": None, "max": None, "mean": None, "std": None}
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    every, kept = histogram(values, bins, (low, high), view.kept)
    edges = np.linspace(low, high, bins + 1)
    return {"edges": edges.tolist(), "all": every.tolist(), "kept": kept.tolist(), "min": float(finite.min()),
            "max": float(finite.max()), "mean": float(finite.mean()), "std": float(finite.std())}
