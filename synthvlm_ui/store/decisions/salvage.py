"""Carries what can still be read of a damaged journal into a new one, event by event, under the same ids.

Knows tables and nothing of what is decided in them. The damaged file is only read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.store.decisions.registry import ID_BYTES, CandidateIds, digest_of
from synthvlm_ui.store.decisions.schema import migrate

_EVENT = "id, at, actor, kind, payload, verdict, target, ordinals"
_SHARD = "base, rows, dataset, name, digest, candidate_ids"
# So many ids without a readable row, one after the other, are taken for the end of the table.
_GIVE_UP_AFTER = 20_000
Fitting = Callable[[int, set[tuple[str, str]]], tuple[str, str, CandidateIds] | None]


@dataclass(frozen=True)
class Salvaged:
    """What a new journal holds: counts of events and of registrations, and of those that could not be read.

    ``refound`` registrations were unreadable and are back, because only one shard on the disk fits their place.
    """

    events: int
    events_lost: int
    registrations: int
    registrations_lost: int
    refound: int


def damage_of(path: Path) -> str:
    """The first line of SQLite's own check of a journal, "" when it finds nothing wrong or there is no journal."""
    if not path.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else found.splitlines()[-1]


def salvage(damaged: Path, target: Path, fitting: Fitting) -> Salvaged:
    """Writes ``target``, a new journal, from what ``damaged`` still gives.

    Ordinals mean rows for ever, so the place of a lost registration is kept: by the shard that ``fitting(rows,
    registered)`` finds for it, or else by ids that no candidate has.
    """
    with closing(sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        new.isolation_level = None
        migrate(new)
        new.execute("BEGIN")
        events = last = 0
        for row in _rows(old, "event", _EVENT, "id"):
            new.execute(f"INSERT INTO event ({_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            events, last = events + 1, row[0]
        registrations, lost, refound = _registrations(old, new, fitting)
        new.execute("COMMIT")
        return Salvaged(events, last - events, registrations, lost, refound)


def _registrations(old: sqlite3.Connection, new: sqlite3.Connection, fitting: Fitting) -> tuple[int, int, int]:
    whole = [row for row in _rows(old, "shard", _SHARD, "base")
             if len(row[5]) == row[1] * ID_BYTES and row[4] == digest_of(row[5])]
    registered, base, refound, lost = {(row[2], row[3]) for row in whole}, 0, 0, 0
    for row in whole:
        if row[0] > base:
            gap = row[0] - base
            found = fitting(gap, registered)
            dataset, name, ids = found or ("lost", f"{base:06d}", np.array(
                [f"lost{base + place:012d}" for place in range(gap)], dtype=f"S{ID_BYTES}"))
            blob = ids.tobytes()
            new.execute(f"INSERT INTO shard ({_SHARD}) VALUES (?, ?, ?, ?, ?, ?)",
                        (base, gap, dataset, name, digest_of(blob), blob))
            refound, lost = refound + (found is not None), lost + (found is None)
        new.execute(f"INSERT INTO shard ({_SHARD}) VALUES (?, ?, ?, ?, ?, ?)", row)
        base = row[0] + row[1]
    return len(whole), lost, refound


def _rows(connection: sqlite3.Connection, table: str, columns: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Every readable row in the order of its key: all at once up to the first damage, then each for itself."""
    after = -1
    while True:
        try:
            for row in connection.execute(f"SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key}", (after,)):
                after = row[0]
                yield row
            return
        except sqlite3.DatabaseError:
            pass
        missed = 0
        while missed < _GIVE_UP_AFTER:
            after, missed = after + 1, missed + 1
            found = None
            with suppress(sqlite3.DatabaseError):
                found = connection.execute(f"SELECT {columns} FROM {table} WHERE {key} = ?", (after,)).fetchone()
            if found is not None:
                yield found
                break
        else:
            return
