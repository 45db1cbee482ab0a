"""The one SQLite connection of a process to its workspace's journal: durable, shared by threads, safe beside others.

Knows transactions and nothing of events.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synthvlm_ui.errors import CorruptData, DiskFull, WorkspaceError
from synthvlm_ui.store.decisions.schema import migrate

BUSY_TIMEOUT_S = 30.0


class Database:
    """A connection with WAL and synchronous=FULL: what is committed survives the process and a power cut.

    Needs a file system that SQLite's write-ahead log works on, which network file systems often are not.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self.read_only = path, read_only
        self._lock = threading.RLock()
        with self._errors():
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        if self.read_only:
            return self._connect_read_only()
        connection = self._opened(self.path.as_posix(), uri=False)
        self._use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        if not self.path.exists():
            connection = self._opened(":memory:", uri=False)
            migrate(connection)
            return connection
        address = f"file:{quote(str(self.path.resolve()))}"
        try:
            connection = self._opened(f"{address}?mode=ro", uri=True)
            connection.execute("SELECT count(*) FROM meta").fetchone()
        except sqlite3.OperationalError:
            # On a read-only file system there is no place for the log's shared memory, nor anybody who could write.
            connection = self._opened(f"{address}?immutable=1", uri=True)
        return connection

    @staticmethod
    def _opened(address: str, *, uri: bool) -> sqlite3.Connection:
        return sqlite3.connect(address, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=uri)

    @staticmethod
    def _use_wal(connection: sqlite3.Connection) -> None:
        # SQLite does not wait for the busy timeout while the journal mode changes, so this waits itself.
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        with self._errors(), self._lock:
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        rows = self.rows(sql, values)
        return rows[0][0] if rows else None

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Runs one writing statement and returns the id of the row it added."""
        with self._errors(), self._lock:
            return int(self._connection.execute(sql, values).lastrowid or 0)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes everything in the block one change, alone among all processes. Raises: WorkspaceError, DiskFull."""
        if self.read_only:
            raise WorkspaceError("the workspace is open read-only", where=str(self.path),
                                 fix="Open it without --read-only to change anything.")
        with self._errors(), self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            message = str(error)
            if "full" in message:
                raise DiskFull("no room left for the journal", where=str(self.path),
                               fix="Free some space and run it again.") from error
            if "malformed" in message:
                raise self._corrupt(error) from error
            raise WorkspaceError(f"the journal cannot be used: {message}", where=str(self.path),
                                 fix="See whether another program holds it, and whether it may be written.") from error
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            raise self._corrupt(error) from error

    def _corrupt(self, error: Exception) -> CorruptData:
        return CorruptData(f"the journal does not read back: {error}", where=str(self.path),
                           fix="Put back a copy of it, or run workspace check --repair.")
