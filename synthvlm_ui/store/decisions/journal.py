"""The journal: who decided what, when, and undo and redo over it. Nothing in it is ever changed or deleted.

Knows rows only as ordinals; what a row is, the shard registry in the same file says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.records import Verdict
from synthvlm_ui.store.decisions.bitmaps import as_ordinals, packed
from synthvlm_ui.store.decisions.database import Database
from synthvlm_ui.store.decisions.events import VERDICT_VALUES, Event, EventKind
from synthvlm_ui.store.decisions.registry import ShardRegistry

_COLUMNS = "id, at, actor, kind, payload, verdict, target, ordinals"
FREE_KINDS = ("selection", "note", "view", "caption_verdict", "study", "rating")

# The actor's latest verdict whose last undo, if any, was followed by a redo.
_UNDOABLE = """
    SELECT id FROM event AS act WHERE actor = ? AND kind = 'verdict' AND coalesce(
        (SELECT kind FROM event WHERE target = act.id ORDER BY id DESC LIMIT 1), 'redo') = 'redo'
    ORDER BY id DESC LIMIT 1
"""
# The actor's latest undo since their last verdict which no redo has answered: a new verdict clears the redo stack.
_REDOABLE = """
    SELECT target FROM event AS act WHERE actor = :actor AND kind = 'undo'
        AND id > (SELECT max(id) FROM event WHERE actor = :actor AND kind = 'verdict')
        AND NOT EXISTS (SELECT 1 FROM event WHERE target = act.target AND id > act.id)
    ORDER BY id DESC LIMIT 1
"""


class Journal:
    """The append-only events of a workspace, safe to use from several threads and processes at once.

    The verdict in force on a row is that of the latest event on it which is not undone, whoever's it is.
    Raises: CorruptData for a file that is no journal, WorkspaceError, DiskFull.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.database = Database(path, read_only=read_only)
        self.registry = ShardRegistry(self.database)

    @property
    def id(self) -> str:
        """What tells this journal from any other, so that a snapshot made from another one is not believed."""
        return str(self.database.one("SELECT value FROM meta WHERE name = 'journal_id'"))

    def append(self, kind: EventKind, actor: str, payload: Mapping[str, Any]) -> int:
        """Adds a selection, note, view, study or rating and returns its event id. Raises: BadSetting."""
        if kind not in FREE_KINDS:
            raise BadSetting(f"an event of kind {kind!r} cannot be appended", fix=f"Use {', '.join(FREE_KINDS)}.")
        with self.database.transaction():
            return self._insert(kind, actor, payload)

    def append_verdict(self, actor: str, verdict: Verdict, ordinals: Iterable[int] | NDArray[np.integer] | BitMap,
                       rule: Mapping[str, Any] | None = None) -> int:
        """Records one act on any number of rows and returns its event id; it is durable when this returns.

        ``rule`` is what found the rows of a bulk act. Shapes: ordinals (N,) in any order.
        Raises: BadSetting for an unknown verdict or ordinal, EmptyInput for no row, DiskFull, WorkspaceError.
        """
        if verdict not in VERDICT_VALUES:
            raise BadSetting(f"unknown verdict {verdict!r}", fix=f"Use one of {', '.join(VERDICT_VALUES)}.")
        try:
            rows = as_ordinals(ordinals)
        except ValueError as error:
            raise BadSetting(str(error)) from error
        if not rows.size:
            raise EmptyInput("there is no candidate to decide on", fix="Name or filter at least one.")
        blob = packed(rows)
        with self.database.transaction():
            if int(rows[-1]) >= self.registry.total():
                raise BadSetting(f"there is no row {int(rows[-1])}", fix="Refresh the columns before deciding.")
            payload = {} if rule is None else {"rule": dict(rule)}
            return self._insert("verdict", actor, payload, verdict=verdict, bitmap=blob)

    def undo(self, actor: str) -> Event | None:
        """Takes back this actor's latest verdict that still counts; None when there is none.

        The event returned is the undo itself, with the verdict and rows of what it took back.
        """
        return self._answer("undo", actor, _UNDOABLE, (actor,))

    def redo(self, actor: str) -> Event | None:
        """Puts back what this actor undid last, unless they have decided anew since; None when there is nothing."""
        return self._answer("redo", actor, _REDOABLE, {"actor": actor})

    def _answer(self, kind: EventKind, actor: str, find: str, values: Any) -> Event | None:
        with self.database.transaction():
            target = self.database.one(find, values)
            if target is None:
                return None
            event_id = self._insert(kind, actor, {}, target=target)
        return self._events("WHERE id = ?", (event_id,))[0]

    def events(self, after_id: int = 0, limit: int | None = None, kinds: Sequence[str] = ()) -> list[Event]:
        """The events after an id, oldest first, of some kinds or all; an undo or redo carries its target's rows."""
        chosen = f"AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        return self._events(f"WHERE id > ? {chosen} ORDER BY id LIMIT ?",
                            (after_id, *kinds, -1 if limit is None else limit))

    def event(self, event_id: int) -> Event | None:
        """One event, or None."""
        found = self._events("WHERE id = ?", (event_id,))
        return found[0] if found else None

    def bulk_events(self) -> NDArray[np.int64]:
        """The ids of the verdicts that a rule or a filter found the rows of."""
        rows = self.database.rows("SELECT id FROM event WHERE kind = 'verdict' AND payload != '{}'")
        return np.array([row[0] for row in rows], np.int64)

    def latest(self, kinds: Sequence[str], limit: int) -> list[Event]:
        """The latest events of some kinds, oldest first."""
        marks = ", ".join("?" * len(kinds))
        return self._events(f"WHERE id IN (SELECT id FROM event WHERE kind IN ({marks}) ORDER BY id DESC LIMIT ?)",
                            (*kinds, limit))

    def last_id(self) -> int:
        """The id of the newest event, 0 when there is none."""
        return int(self.database.one("SELECT max(id) FROM event") or 0)

    def close(self) -> None:
        self.database.close()

    def _insert(self, kind: str, actor: str, payload: Mapping[str, Any], *, verdict: str | None = None,
                target: int | None = None, bitmap: bytes | None = None) -> int:
        if not actor:
            raise BadSetting("an event needs an actor")
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return self.database.write(
            "INSERT INTO event (at, actor, kind, payload, verdict, target, ordinals) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (at, actor, kind, json.dumps(dict(payload), sort_keys=True, default=str), verdict, target, bitmap))

    def _events(self, where: str, values: Sequence[Any]) -> list[Event]:
        joined = f"""
            SELECT e.id, e.at, e.actor, e.kind, e.payload, coalesce(e.verdict, t.verdict), e.target,
                   coalesce(e.ordinals, t.ordinals)
            FROM (SELECT {_COLUMNS} FROM event {where}) AS e LEFT JOIN event AS t ON t.id = e.target ORDER BY e.id
        """
        return [Event(row[0], row[1], row[2], row[3], json.loads(row[4]), *row[5:])
                for row in self.database.rows(joined, values)]
