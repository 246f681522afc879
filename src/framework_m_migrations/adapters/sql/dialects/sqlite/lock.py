"""One migrator at a time: a write transaction held on a small database file beside the real one.

A RESERVED lock of SQLite is a lock of the operating system, which ends with the process that holds it, however it dies,
and lets others read. Who holds it stands in a row that was committed before. Databases in memory belong to one process
and need no lock.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control
from framework_m_migrations.domain.errors import DatabaseError, DatabaseReadOnly, StorageFull

SUFFIX = "-migrate-lock"
_BUSY, _READONLY, _FULL = 5, 8, 13


class SqliteLock:
    """The lock of the database file behind a connection. Implements ports.lock.MigrationLock.

    The sidecar file stays when the lock is given back: removing it could let two processes lock two files of one name.
    """

    def __init__(self, connection: sa.Connection, *, schema: str | None) -> None:
        self._connection = connection
        self._schema = schema or "main"
        self._held: sqlite3.Connection | None = None
        self._in_memory = False

    def try_acquire(self) -> bool:
        """Take the lock if it is free; never waits.

        Raises:
            DatabaseReadOnly: the folder of the database takes no new file.
        """
        if self._held is not None or self._in_memory:
            return True
        path = self._path()
        if path is None:
            self._in_memory = True
            return True
        sidecar = _opened(path)
        try:
            if not _announced(sidecar):
                sidecar.close()
                return False
        except BaseException:
            sidecar.close()
            raise
        self._held = sidecar
        return True

    def release(self) -> None:
        """Give the lock back."""
        held, self._held, self._in_memory = self._held, None, False
        if held is not None:
            with contextlib.closing(held):
                held.execute("ROLLBACK")

    def holder(self) -> str | None:
        """Process, machine and time of the holder, None when nobody holds it."""
        path = self._path()
        if path is None or not path.exists():
            return None
        with contextlib.closing(_opened(path)) as sidecar, contextlib.suppress(sqlite3.OperationalError):
            if self._held is None and _is_free(sidecar):
                return None
            row = sidecar.execute("SELECT process, host, since FROM holder").fetchone()
            return None if row is None else f"process {row[0]} on {row[1]} since {row[2][:19]} UTC"
        return None

    def _path(self) -> Path | None:
        """Where the sidecar is; None for a database in memory or a temporary one."""
        for _, name, file in control(self._connection, "PRAGMA database_list"):
            if name == self._schema and file:
                return Path(f"{os.path.realpath(file)}{SUFFIX}")
        return None


def _opened(path: Path) -> sqlite3.Connection:
    try:
        # Sessions on aiosqlite call from different threads in turn, never at once.
        return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise DatabaseReadOnly(
            f"The lock file {path} cannot be opened: {error}.",
            next_step="Make the folder of the database writable; SQLite needs that for its journal too.",
        ) from error


def _announced(sidecar: sqlite3.Connection) -> bool:
    """Commit who we are, then hold the write lock; False where somebody else holds it."""
    me = (os.getpid(), platform.node(), datetime.now(UTC).isoformat(timespec="microseconds"))
    try:
        sidecar.execute("BEGIN IMMEDIATE")
        sidecar.execute("CREATE TABLE IF NOT EXISTS holder (process INTEGER, host TEXT, since TEXT)")
        sidecar.execute("DELETE FROM holder")
        sidecar.execute("INSERT INTO holder VALUES (?, ?, ?)", me)
        sidecar.execute("COMMIT")
        sidecar.execute("BEGIN IMMEDIATE")
        # Between the commit and the second BEGIN another one may have announced itself: then it may go first.
        return bool(sidecar.execute("SELECT (process, host, since) = (?, ?, ?) FROM holder", me).fetchone()[0])
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == _BUSY:
            return False
        kind = {_READONLY: DatabaseReadOnly, _FULL: StorageFull}.get(code, DatabaseError)
        raise kind(f"The lock file of the database cannot be used: {error}.") from error


def _is_free(sidecar: sqlite3.Connection) -> bool:
    try:
        sidecar.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == _BUSY:
            return False
        raise
    sidecar.execute("ROLLBACK")
    return True
