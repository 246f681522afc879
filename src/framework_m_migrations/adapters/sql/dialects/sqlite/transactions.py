"""Transactions that take DDL along, whatever mode the driver's connection is in.

sqlite3's legacy mode begins no transaction before DDL, so that a failing migration would leave its first half behind.
BEGIN IMMEDIATE is therefore said aloud. It also takes the write lock at once: a transaction that reads first and writes
later can be refused in the middle (https://www.sqlite.org/lang_transaction.html, 2.2).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import Mark
from framework_m_migrations.adapters.sql.dialects.sqlite.ddl import forget_edits, verify_edits
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, driver_autocommit, in_transaction
from framework_m_migrations.adapters.sql.dialects.sqlite.errors import translate
from framework_m_migrations.adapters.sql.dialects.sqlite.locks import holders
from framework_m_migrations.adapters.sql.trial import Attempt
from framework_m_migrations.adapters.sql.watching import PATIENCE, next_report, still_waiting
from framework_m_migrations.domain.errors import DatabaseError, LockTimeout
from framework_m_migrations.domain.options import Limits

_MARK = "PRAGMA temp.user_version"
_TURN = 0.5
_BUSY = 5


@contextmanager
def transaction(connection: sa.Connection, limits: Limits) -> Iterator[None]:
    """A write transaction; a savepoint where the caller's connection is in a transaction already.

    Args:
        connection: of any mode: legacy, ``isolation_level=None``, ``autocommit`` True or False, aiosqlite.
        limits: of them the wait for the write lock.

    Raises:
        LockTimeout: another connection kept the write lock.
        DatabaseReadOnly: the database cannot be written.
    """
    patience = _Patience(connection, limits.lock)
    with _translated(connection), patience:
        # In a mode with autocommit=False the driver has a transaction open at all times: that one is nobody's.
        foreign = in_transaction(connection) and driver_autocommit(connection) is not False
        with _savepoint(patience) if connection.in_transaction() or foreign else _root(patience):
            forget_edits(connection)
            try:
                yield
                verify_edits(connection)
            finally:
                forget_edits(connection)


class _Patience:
    """Waits for locks in short turns, between which Python notices Ctrl-C; sets the busy timeout back at its end."""

    def __init__(self, connection: sa.Connection, seconds: float) -> None:
        self.connection = connection
        self._seconds = seconds
        self._before = 0

    def __enter__(self) -> None:
        self._before = int(control(self.connection, "PRAGMA busy_timeout")[0][0])
        turn = min(_TURN, max(0.0, self._seconds))
        control(self.connection, f"PRAGMA busy_timeout = {round(turn * 1000)}")

    def __exit__(self, *_: object) -> None:
        if not self.connection.invalidated:
            control(self.connection, f"PRAGMA busy_timeout = {self._before}")

    def run[T](self, statement: Callable[[], T]) -> T:
        """Run a statement until it has its lock or the time is over, and return what it returns."""
        began = time.monotonic()
        due = PATIENCE
        while True:
            try:
                return statement()
            except sa.exc.DBAPIError as error:
                busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == _BUSY
                waited = time.monotonic() - began
                if not busy or waited >= self._seconds:
                    raise
            if waited >= due:
                due = next_report(waited)
                still_waiting(self.connection, waited, lambda: holders(self.connection))


@contextmanager
def _root(patience: _Patience) -> Iterator[None]:
    connection = patience.connection
    was_open = in_transaction(connection)
    # An event listener of the engine may say BEGIN IMMEDIATE itself.
    root = patience.run(connection.begin)
    try:
        if was_open:
            patience.run(lambda: _take_write_lock(connection))
        else:
            if in_transaction(connection):
                # It may have said a plain BEGIN too; nothing has happened in that transaction.
                control(connection, "ROLLBACK")
            patience.run(lambda: control(connection, "BEGIN IMMEDIATE"))
        yield
        # Readers of a rollback journal can hold up the commit itself. SQLAlchemy gives up on a transaction whose
        # commit fails, so the driver commits first, and again where it may wait no longer.
        patience.run(lambda: _commit(connection))
        root.commit()
    except BaseException:
        if root.is_active:
            root.rollback()
        if not connection.invalidated and driver_autocommit(connection) is not False and in_transaction(connection):
            # With autocommit=True the driver's own rollback does nothing.
            control(connection, "ROLLBACK")
        raise


def _commit(connection: sa.Connection) -> None:
    if driver_autocommit(connection) is False:
        # COMMIT said aloud would leave this mode without the transaction that it counts on.
        _commit_of_driver(connection)
    elif in_transaction(connection):
        # A revision may have committed through the driver.
        control(connection, "COMMIT")


def _commit_of_driver(connection: sa.Connection) -> None:
    try:
        connection.connection.commit()
    except sqlite3.Error as error:
        module = connection.dialect.loaded_dbapi
        raise sa.exc.DBAPIError.instance("COMMIT", None, error, module.Error, dialect=connection.dialect) from error


def _take_write_lock(connection: sa.Connection) -> None:
    """Turn the transaction that ``autocommit=False`` keeps open into a writing one, changing nothing."""
    version = control(connection, "PRAGMA user_version")[0][0]
    control(connection, f"PRAGMA user_version = {int(version)}")


@contextmanager
def attempts(connection: sa.Connection) -> Iterator[Attempt]:
    """See trial.Trial: each attempt is a savepoint; of temporary tables, so that no lock of the file is taken."""

    def attempt(statements: Sequence[str]) -> sa.exc.DBAPIError | None:
        control(connection, "SAVEPOINT m_migrate_trial")
        try:
            for sql in statements:
                control(connection, sql)
        except sa.exc.DBAPIError as error:
            return error
        finally:
            control(connection, "ROLLBACK TO m_migrate_trial")
            control(connection, "RELEASE m_migrate_trial")
        return None

    yield attempt


@contextmanager
def _savepoint(patience: _Patience) -> Iterator[None]:
    # The caller's transaction may not have reached SQLite yet: legacy mode begins one before the first write only.
    # RELEASE of a savepoint outside any transaction would commit.
    connection = patience.connection
    begun = not in_transaction(connection)
    if begun:
        patience.run(lambda: control(connection, "BEGIN IMMEDIATE"))
    # With autocommit=True the caller's commit and rollback do nothing, so its transaction is none.
    ours = begun and driver_autocommit(connection) is True
    try:
        with connection.begin_nested():
            yield
    except BaseException:
        if ours and not connection.invalidated:
            control(connection, "ROLLBACK")
        raise
    if ours:
        patience.run(lambda: control(connection, "COMMIT"))


def mark(connection: sa.Connection) -> Mark:
    """Number the transaction in the header of the connection's temporary database, which is rolled back with it."""
    before = int(control(connection, _MARK)[0][0])
    control(connection, f"{_MARK} = {before + 1}")

    def committed(refused: object, *, within: bool) -> bool:
        del refused
        return not within and not connection.invalidated and int(control(connection, _MARK)[0][0]) != before

    return committed


@contextmanager
def autocommit(connection: sa.Connection) -> Iterator[None]:
    """A scope in which each statement stands for itself.

    Raises:
        DatabaseError: the caller's connection is in a transaction.
    """
    if connection.in_transaction():
        raise DatabaseError(
            "A statement must run outside any transaction, but the connection handed in is in one.",
            next_step="Commit before the call, or hand in an engine.",
        )
    if driver_autocommit(connection) is False:
        # This mode has a transaction open at all times; what it holds is committed at the end.
        yield
        connection.commit()
        return
    try:
        yield
    finally:
        if connection.in_transaction():
            connection.commit()


@contextmanager
def _translated(connection: sa.Connection) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        known = translate(error)
        if known is None:
            raise
        if isinstance(known, LockTimeout) and (who := holders(connection)):
            known.what = f"{known.what} The lock is held by {', '.join(who)}."
            known.details["sessions"] = list(who)
        raise known from error
