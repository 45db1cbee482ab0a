"""One candidate: every fact, its siblings and real image, its bytes. Reads shards; knows no rule."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from synthvlm_ui.errors import SynthVLMError, UnknownName
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.scoring import GUARDS
from synthvlm_ui.service.curation.items import Items
from synthvlm_ui.service.curation.neighbours import Neighbours
from synthvlm_ui.service.curation.views import Views
from synthvlm_ui.service.dataset_rows import number
from synthvlm_ui.store import Workspace

_MOST_SIBLINGS, _MOST_EVENTS = 60, 50


class CandidateDesk:
    """``studio.candidates``."""

    def __init__(self, workspace: Workspace, views: Views, items: Items, neighbours: Neighbours) -> None:
        self._workspace, self._views, self._items, self._neighbours = workspace, views, items, neighbours

    def candidate(self, candidate_id: str) -> dict[str, Any]:
        """Every fact of one candidate: how it was made, its scores and their settings, its verdict, its siblings.

        What cannot be read of it is said in ``problem``; the rest comes all the same. Raises: UnknownName.
        """
        columns, ordinal = self._workspace.columns, self.ordinal(candidate_id)
        facts, problem = self._facts(ordinal)
        same = np.flatnonzero(columns.caption_code == columns.caption_code[ordinal])
        real = same[columns.is_real[same]]
        siblings = same[~columns.is_real[same] & (same != ordinal)]
        dataset = columns.datasets[int(columns.dataset_code[ordinal])]
        scores = {name: number(columns.score(name)[ordinal]) for name in columns.score_columns()}
        scorers = [{"name": scorer.name, "key": scorer.key, "settings": dict(scorer.settings),
                    "scores": {name: number(value) for name, value in values.items()}}
                   for scorer, values in columns.scores_of(ordinal)]
        event = self._workspace.journal.event(int(columns.verdict_event[ordinal]))
        return {**facts, "id": candidate_id, "dataset": dataset, "scores": scores, "scorers": scorers,
                "guard_text": GUARDS.get(int(scores.get("guard") or 0), ""),
                "verdict": int(columns.verdict[ordinal]), "verdict_by": event.actor if event else None,
                "verdict_at": event.at if event else None, "shard": "/".join(columns.shard_of(ordinal)),
                "problem": problem, "siblings": columns.ids_of(siblings),
                "siblings_items": self._around(dataset, siblings[:_MOST_SIBLINGS]),
                "real": columns.ids_of(real[-1:]), "real_items": self._items.real(real[-1:]),
                "history": self._history(ordinal)}

    def neighbours(self, candidate_id: str) -> dict[str, Any]:
        """The candidates whose stored embeddings are most like this one's, nearest first. Raises: UnknownName."""
        columns, ordinal = self._workspace.columns, self.ordinal(candidate_id)
        view = self._views.of(SelectionRule(columns.datasets[int(columns.dataset_code[ordinal])]))
        ordinals, cosines = self._neighbours.of(view.scope, ordinal)
        items = self._items.of(view, np.searchsorted(view.scope.rows, ordinals)) if len(ordinals) else []
        return {"neighbours": [{**item, "similarity": number(cosine)}
                               for item, cosine in zip(items, cosines.tolist(), strict=True)]}

    def thumbnail(self, candidate_id: str) -> bytes:
        """WebP of at most 256 px a side. Raises: UnknownName, CorruptData."""
        return self._workspace.columns.thumbnail(self.ordinal(candidate_id))

    def image(self, candidate_id: str) -> tuple[bytes, str]:
        """The file as it was written, and its media type. Raises: UnknownName, CorruptData."""
        return self._workspace.columns.image(self.ordinal(candidate_id))

    def ordinal(self, candidate_id: str) -> int:
        """The row of a candidate, also of one that has just come. Raises: UnknownName."""
        columns = self._workspace.columns
        try:
            return int(columns.ordinals_of([candidate_id])[0])
        except UnknownName:
            columns.refresh()
            return int(columns.ordinals_of([candidate_id])[0])

    def _facts(self, ordinal: int) -> tuple[dict[str, Any], str | None]:
        columns = self._workspace.columns
        try:
            facts = columns.candidate(ordinal).to_json()
        except (SynthVLMError, OSError, json.JSONDecodeError) as error:
            return {}, str(error)
        return facts, None if columns.ok[ordinal] or facts["status"] != "ok" else columns.reason(ordinal)

    def _around(self, dataset: str, ordinals: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        view = self._views.of(SelectionRule(dataset))
        rows = np.searchsorted(view.scope.rows, ordinals)
        return self._items.of(view, rows) if len(rows) else []

    def _history(self, ordinal: int) -> list[dict[str, Any]]:
        """Every verdict ever given on this candidate, oldest first."""
        found = []
        for event_id, counts in self._workspace.columns.acts_on(ordinal)[-_MOST_EVENTS:]:
            event = self._workspace.journal.event(event_id)
            if event is not None:
                found.append({"id": event.id, "at": event.at, "actor": event.actor, "verdict": event.verdict,
                              "count": event.count, "bulk": event.rule is not None, "undone": not counts})
        return found
