"""The journal's tables, as numbered migrations: a script is never edited once released, only followed by another.

Knows SQL and nothing of what the events mean.
"""

from __future__ import annotations

import sqlite3

from synthvlm_ui.errors import WorkspaceError

MIGRATIONS = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    INSERT INTO meta VALUES ('journal_id', lower(hex(randomblob(16))));
    CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL DEFAULT '{}',
        verdict TEXT,
        target INTEGER REFERENCES event (id),
        ordinals BLOB
    );
    CREATE INDEX event_by_actor ON event (actor, kind, id);
    CREATE INDEX event_by_target ON event (target, id) WHERE target IS NOT NULL;
    CREATE TABLE shard (
        base INTEGER PRIMARY KEY,
        rows INTEGER NOT NULL CHECK (rows > 0),
        dataset TEXT NOT NULL,
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        candidate_ids BLOB NOT NULL
    );
    CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER event_is_kept BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER shard_stays BEFORE UPDATE ON shard BEGIN SELECT RAISE(ABORT, 'ordinals are for ever'); END;
    CREATE TRIGGER shard_is_kept BEFORE DELETE ON shard BEGIN SELECT RAISE(ABORT, 'ordinals are for ever'); END;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the journal to the newest schema; safe when several processes try at once. Raises: WorkspaceError."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise WorkspaceError(f"the journal has the schema {version}, this program knows {len(MIGRATIONS)}",
                                 fix="Update SynthVLM UI, or open another workspace.")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    # Not executescript: that would commit the transaction which keeps two processes from migrating at once.
    statements, pending = [], ""
    for piece in script.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            if pending.strip(" \n;"):
                statements.append(pending)
            pending = ""
    return statements
