"""Verdicts: on named candidates, on all results of a filter as one act, undo and redo, and what others have decided.

Writes the journal and nothing else. Knows no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.records import SelectionRule, Verdict
from synthvlm_ui.service.curation.finding_desk import FindingDesk
from synthvlm_ui.service.curation.presence import Presence
from synthvlm_ui.service.curation.view_state import Find
from synthvlm_ui.service.curation.views import Views
from synthvlm_ui.service.printable_name import printable_name
from synthvlm_ui.store import Event, Workspace

MOST_ACTOR_CHARACTERS = 40
_MOST_NAMED = 500
_NEWS_KINDS = ("verdict", "undo", "redo")


def checked_actor(name: str) -> str:
    """A name for the journal. Raises: BadSetting when it is empty, too long or not printable."""
    return printable_name(" ".join(name.split()), "person", where="actor", most=MOST_ACTOR_CHARACTERS)


class VerdictDesk:
    """``studio.verdicts``. Every act is durable when its method returns."""

    def __init__(self, workspace: Workspace, views: Views, finding: FindingDesk, actor: str) -> None:
        self._workspace, self._views, self._finding, self._actor = workspace, views, finding, actor
        self._presence = Presence()

    def verdict(self, ids: Sequence[str], verdict: Verdict, rule: Mapping[str, Any] | None = None,
                actor: str | None = None) -> dict[str, Any]:
        """Records keep, reject or clear for these candidates as one act.

        Raises: UnknownName, BadSetting, WorkspaceError.
        """
        self._check(verdict)
        if not ids:
            raise BadSetting("no candidate is named", where="ids", fix="Name at least one.")
        ordinals = self._ordinals(list(dict.fromkeys(ids)))
        columns = self._workspace.columns
        real = columns.ids_of(ordinals[columns.is_real[ordinals]][:1])
        if real:
            raise BadSetting(f"{real[0]} is a real image", fix="Name candidates: real images are only compared with.")
        return self._record(ordinals, verdict, rule, actor)

    def verdict_on_all(self, rule: SelectionRule, find: Find, show: str, verdict: Verdict, *,
                       expected: int | None = None, actor: str | None = None) -> dict[str, Any]:
        """Records a verdict for everything that is shown, as one act that remembers the filter and the rows.

        ``expected`` is how many the user saw. Raises: BadSetting when there are others by now, EmptyInput.
        """
        self._check(verdict)
        view = self._views.of(rule)
        rows = np.flatnonzero(self._finding.shown(view, find, show, "combined").mask)
        if expected is not None and expected != len(rows):
            raise BadSetting(f"there are {len(rows):,} by now and not {expected:,}", where="expected",
                             fix="Look again: somebody decided or generated meanwhile.")
        if not len(rows):
            raise EmptyInput("the filter matches nothing", fix="Change the filter.")
        asked = {**_described(rule, find), "show": show}
        return self._record(view.scope.rows[rows], verdict, asked, actor)

    def verdict_on_range(self, rule: SelectionRule, find: Find, show: str, order: str, ranks: tuple[int, int],
                         verdict: Verdict, actor: str | None = None) -> dict[str, Any]:
        """Records a verdict for the candidates from one place to another of what is shown, both included."""
        self._check(verdict)
        first, last = sorted(ranks)
        view = self._views.of(rule)
        rows = view.page(self._finding.shown(view, find, show, order), max(first, 0), last - max(first, 0) + 1)
        if not len(rows):
            raise EmptyInput("there is nothing at these places", where="from_rank", fix="Look again.")
        return self._record(view.scope.rows[rows], verdict, None, actor)

    def undo(self, actor: str | None = None) -> dict[str, Any]:
        """Takes back this actor's own latest act; "undone" is None when there is none."""
        self._workspace.paths.check_writable()
        return self._answer("undone", self._workspace.journal.undo(self.name_of(actor)))

    def redo(self, actor: str | None = None) -> dict[str, Any]:
        """Does again what this actor took back last; "redone" is None when there is nothing."""
        self._workspace.paths.check_writable()
        return self._answer("redone", self._workspace.journal.redo(self.name_of(actor)))

    def events(self, limit: int = 100, after: int = 0) -> dict[str, Any]:
        """The latest events, newest first."""
        journal = self._workspace.journal
        last = journal.last_id()
        events = journal.events(after_id=max(after, last - limit))
        return {"events": [event.to_json() for event in reversed(events)], "last_event": last}

    def news(self, after: int, actor: str | None = None) -> dict[str, Any]:
        """What was decided after an event, by whom and on which candidates, and who is here."""
        self._presence.note(self.name_of(actor))
        people, actors = self._presence.now()
        columns, journal = self._workspace.columns, self._workspace.journal
        version, last = columns.moment
        events = journal.events(after, _MOST_NAMED, _NEWS_KINDS) if after < last else []
        found = [{"id": event.id, "at": event.at, "actor": event.actor, "kind": event.kind, "verdict": event.verdict,
                  "count": event.count, "ids": self._named(event.ordinals()[:200])} for event in events]
        return {"version": version, "last_event": last, "events": found, "people": people, "actors": actors}

    def has_news(self, after: int, version: int | None, people: int | None, actor: str | None = None) -> bool:
        """Whether somebody decided something after an event, the columns are another version, or people came or went.

        Whoever asks is here. Costs next to nothing.
        """
        self._presence.note(self.name_of(actor))
        now, last = self._workspace.columns.moment
        return (last > after or (version is not None and now != version)
                or (people is not None and self._presence.now()[0] != people))

    def _record(self, ordinals: NDArray[np.integer], verdict: Verdict, rule: Mapping[str, Any] | None,
                actor: str | None) -> dict[str, Any]:
        event_id = self._workspace.journal.append_verdict(self.name_of(actor), verdict, ordinals, rule)
        self._workspace.columns.refresh(events_only=True)
        return {"changed": len(ordinals), "event_id": event_id, "last_event": event_id}

    def _answer(self, word: str, event: Event | None) -> dict[str, Any]:
        columns = self._workspace.columns
        columns.refresh(events_only=True)
        if event is None:
            return {"changed": 0, "event_id": None, word: None, "ids": [], "last_event": columns.last_event}
        ordinals = event.ordinals()
        return {"changed": len(ordinals), "event_id": event.id, word: f"{event.verdict} of {len(ordinals)}",
                "ids": self._named(ordinals[:_MOST_NAMED]), "last_event": event.id}

    def _named(self, ordinals: NDArray[np.integer]) -> list[str]:
        columns = self._workspace.columns
        return columns.ids_of(ordinals[ordinals < columns.n])

    def _check(self, verdict: str) -> None:
        self._workspace.paths.check_writable()
        if verdict not in ("keep", "reject", "clear"):
            raise BadSetting(f"{verdict!r} is no verdict", where="verdict", fix="Give keep, reject or clear.")

    def name_of(self, actor: str | None) -> str:
        """The name an act is recorded under: the caller's, or that of whoever started this process."""
        return self._actor if actor is None else checked_actor(actor)

    def _ordinals(self, ids: Sequence[str]) -> NDArray[np.int32]:
        try:
            return self._workspace.columns.ordinals_of(ids)
        except UnknownName:
            self._workspace.columns.refresh()
            return self._workspace.columns.ordinals_of(ids)


def _described(rule: SelectionRule, find: Find) -> dict[str, Any]:
    plain = SelectionRule(rule.dataset).to_json()
    changed = {name: value for name, value in rule.to_json().items() if value != plain[name]}
    found = {name: getattr(find, name) for name in ("text", "meaning", "like") if getattr(find, name)}
    return {"dataset": rule.dataset, **changed, **({"find": found} if found else {})}
