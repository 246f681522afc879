"""One migrator at a time: a write transaction held on a small database file beside the real one.

A RESERVED lock of SQLite is a lock of the operating system, which ends with the process that holds it,
however it dies, and lets others read. Who holds it stands in a row that was committed before. Databases in
memory belong to one process and need no lock.

The holder removes the file when it gives the lock back. Who had opened it before then holds a lock on a file
that has no name any more, or whose name another file has by now: after taking the lock, the row is therefore
read through the name once more.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import platform
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from framework_m_migrations.domain.errors import DatabaseError, DatabaseReadOnly, StorageFull

SUFFIX = "-migrate-lock"
_BUSY, _READONLY, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 8, 11, 13, 14, 26
_MOVED = _READONLY | 4 << 8
"""SQLITE_READONLY_DBMOVED: the file has no name any more, for its holder has given it back."""


class FileLock:
    """The lock of a database file. Implements ports.lock.MigrationLock.

    Args:
        beside: the database's file, asked at each call; None for a database that belongs to one process.
    """

    def __init__(self, beside: Callable[[], Path | None]) -> None:
        self._beside = beside
        self._held: sqlite3.Connection | None = None
        self._in_memory = False

    def try_acquire(self) -> bool:
        """Take the lock if it is free; never waits.

        Raises:
            DatabaseReadOnly: the folder of the database takes no new file.
            DatabaseError: a symbolic link has the name of the lock file.
        """
        if self._held is not None or self._in_memory:
            return True
        path = self._path()
        if path is None:
            self._in_memory = True
            return True
        self._held = _taken(path)
        return self._held is not None

    def release(self) -> None:
        """Give the lock back."""
        held, self._held, self._in_memory = self._held, None, False
        if held is not None:
            with contextlib.closing(held):
                path = held.execute("PRAGMA database_list").fetchone()[2]
                # Windows removes no open file: there it stays.
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                held.execute("ROLLBACK")

    def holder(self) -> str | None:
        """Process, machine and time of the holder, None when nobody holds it."""
        path = self._path()
        if path is None or not path.exists():
            return None
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(_connection(path)) as sidecar:
            if self._held is None and _is_free(sidecar):
                return None
            row: Any = _read(sidecar)
            return None if row is None else f"process {row[0]} on {row[1]} since {row[2][:19]} UTC"
        return None

    def _path(self) -> Path | None:
        """Where the sidecar is."""
        file = self._beside()
        return None if file is None else Path(f"{os.path.realpath(file)}{SUFFIX}")


def _taken(path: Path) -> sqlite3.Connection | None:
    """The connection that holds the lock; None where somebody else does."""
    try:
        return _tried(path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in {_CORRUPT, _NOTADB}:
            raise _failure(path, error) from error
        # Nothing in it is worth anything but the name of a holder, who could not be read anyway.
        logging.getLogger(__name__).warning("The lock file %s was damaged; a new one takes its place.", path)
        path.unlink(missing_ok=True)
    try:
        return _tried(path)
    except sqlite3.DatabaseError as error:
        raise _failure(path, error) from error


def _tried(path: Path) -> sqlite3.Connection | None:
    _made(path)
    try:
        sidecar = _connection(path)
    except sqlite3.OperationalError:
        if not path.exists():
            return None  # its holder has given it back just now
        raise
    try:
        if (me := _announced(sidecar)) is not None and _has_name(path, me):
            return sidecar
    except BaseException:
        sidecar.close()
        raise
    sidecar.close()
    return None


def _made(path: Path) -> None:
    """Make the file, with the mode and group of the database, where it does not exist."""
    if path.is_symlink():
        raise DatabaseError(
            f"The lock file {path} is a symbolic link, which m-migrate does not follow.",
            next_step="Remove the link, then run the same command again.",
        )
    if path.exists():
        return
    try:
        like = path.with_name(path.name.removesuffix(SUFFIX)).stat()
    except OSError:
        like = None
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666 if like is None else like.st_mode & 0o777)
    except FileExistsError:
        return
    except OSError as error:
        raise _failure(path, error) from error
    try:
        if like is not None and hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):
                os.fchmod(file, like.st_mode & 0o777)
                os.fchown(file, -1, like.st_gid)
    finally:
        os.close(file)


def _connection(path: Path) -> sqlite3.Connection:
    # Sessions on aiosqlite call from different threads in turn, never at once.
    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )


def _failure(path: Path, error: sqlite3.Error | OSError) -> DatabaseError:
    kind: type[DatabaseError]
    if isinstance(error, OSError):
        kind = StorageFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else DatabaseReadOnly
    else:
        known = {_READONLY: DatabaseReadOnly, _FULL: StorageFull, _CANTOPEN: DatabaseReadOnly}
        kind = known.get(error.sqlite_errorcode & 0xFF, DatabaseError)
    step = "Make the folder of the database writable; the database needs that for its own files too."
    return kind(f"The lock file {path} cannot be used: {error}.", next_step=step if kind is DatabaseReadOnly else None)


type Me = tuple[int, str, str]


def _announced(sidecar: sqlite3.Connection) -> Me | None:
    """Commit who we are, then hold the write lock; None where somebody else holds it."""
    me = (os.getpid(), platform.node(), datetime.now(UTC).isoformat(timespec="microseconds"))
    try:
        sidecar.execute("BEGIN IMMEDIATE")
        sidecar.execute("CREATE TABLE IF NOT EXISTS holder (process INTEGER, host TEXT, since TEXT)")
        sidecar.execute("DELETE FROM holder")
        sidecar.execute("INSERT INTO holder VALUES (?, ?, ?)", me)
        sidecar.execute("COMMIT")
        sidecar.execute("BEGIN IMMEDIATE")
        # Between the commit and the second BEGIN another one may have announced itself: then it may go first.
        return me if _read(sidecar) == me else None
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == _BUSY or error.sqlite_errorcode == _MOVED:
            return None
        raise


def _has_name(path: Path, me: Me) -> bool:
    """Whether the file of this name is the one that we hold."""
    try:
        with contextlib.closing(_connection(path)) as other:
            return _read(other) == me
    except sqlite3.OperationalError:
        return False


def _read(sidecar: sqlite3.Connection) -> object:
    return sidecar.execute("SELECT process, host, since FROM holder").fetchone()


def _is_free(sidecar: sqlite3.Connection) -> bool:
    try:
        sidecar.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == _BUSY:
            return False
        raise
    sidecar.execute("ROLLBACK")
    return True
