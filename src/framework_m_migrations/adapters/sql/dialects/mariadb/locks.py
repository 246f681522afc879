"""The migration lock, and who may hold what a statement waits for."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.errors import translate
from framework_m_migrations.adapters.sql.dialects.mariadb.transactions import taken_back
from framework_m_migrations.adapters.sql.errors import from_driver
from framework_m_migrations.domain.errors import LockTimeout

_NAMESPACE = "framework_m_migrations"
_HOLDER = """
SELECT p.ID, p.USER, p.HOST FROM information_schema.PROCESSLIST p WHERE p.ID = IS_USED_LOCK('{name}')
"""


def lock_name(schema: str) -> str:
    """The lock of a schema; names are global to the server and have 64 characters at most."""
    digest = hashlib.sha256(f"{_NAMESPACE}\0{schema}".encode()).hexdigest()
    return f"m_migrate_{digest[:48]}"


class NamedLock:
    """Implements ports.lock.MigrationLock.

    Args:
        connection: the session's.
        schema: the session's schema, None for the connection's own.
    """

    def __init__(self, connection: sa.Connection, *, schema: str | None) -> None:
        self._connection = connection
        self._schema = schema
        self._name: str | None = None
        self._held = False

    def try_acquire(self) -> bool:
        """See the port. That it is held still is asked of the server: the connection may have been made anew."""
        name = self._resolve()
        if self._held and self._scalar(f"SELECT IS_USED_LOCK('{name}') = CONNECTION_ID()") == 1:
            return True
        self._held = self._scalar(f"SELECT GET_LOCK('{name}', 0)") == 1
        return self._held

    def release(self) -> None:
        """See the port."""
        held, self._held = self._held, False
        if not held or self._connection.closed or self._connection.invalidated:
            return
        try:
            self._scalar(f"SELECT RELEASE_LOCK('{self._resolve()}')")
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise

    def holder(self) -> str | None:
        """See the port: connection, account and host; never a statement."""
        name = self._resolve()
        with taken_back(self._connection):
            row = self._connection.exec_driver_sql(_HOLDER.format(name=name)).first()
        if row is not None:
            return f"connection {row[0]} as {row[1]} from {row[2]}"
        # Without the right PROCESS the sessions of others are not shown, but that there is one is.
        number = self._scalar(f"SELECT IS_USED_LOCK('{name}')")
        return None if number is None else f"connection {number}"

    def _resolve(self) -> str:
        if self._name is None:
            schema = self._schema or self._scalar("SELECT DATABASE()") or ""
            self._name = lock_name(str(schema))
        return self._name

    def _scalar(self, sql: str) -> object:
        with taken_back(self._connection):
            return self._connection.exec_driver_sql(sql).scalar()


# Who may hold what a statement waited for.
#
# The server names the holder of a row's lock. That of a table's metadata lock it names only with a plugin
# (metadata_lock_info); without it the open transactions of the same database are named, which hold such locks.


_MOST = 10
_WAITS = """
SELECT EXISTS (SELECT 1 FROM information_schema.PROCESSLIST p
               WHERE p.ID = {waiting} AND (p.STATE LIKE 'Waiting for % lock' OR p.STATE LIKE 'Waiting for % locks'))
    OR EXISTS (SELECT 1 FROM information_schema.INNODB_TRX t
               WHERE t.trx_mysql_thread_id = {waiting} AND t.trx_state = 'LOCK WAIT')
"""
_OTHERS = """
SELECT p.ID, p.USER, p.HOST, p.COMMAND, p.TIME, TIMESTAMPDIFF(SECOND, t.trx_started, NOW()),
       EXISTS (SELECT 1 FROM information_schema.INNODB_LOCK_WAITS w
               JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id
               WHERE w.blocking_trx_id = t.trx_id AND r.trx_mysql_thread_id = {waiting})
FROM information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID
WHERE p.ID NOT IN ({waiting}, CONNECTION_ID()) AND p.DB = DATABASE()
ORDER BY t.trx_started IS NULL, t.trx_started, p.ID
"""


class MariadbWaits:
    """Implements adapters.sql.watching.Waits."""

    def number(self, connection: sa.Connection) -> int | None:
        """See Waits."""
        ask: Any = getattr(connection.connection.driver_connection, "thread_id", None)
        number = ask() if callable(ask) else None
        return number if isinstance(number, int) else None

    def holders(self, connection: sa.Connection, waiting: int) -> tuple[str, ...] | None:
        """See Waits."""
        if not connection.exec_driver_sql(_WAITS.format(waiting=waiting), execution_options=_PLAIN).scalar():
            return None
        return _others(connection, waiting)


_PLAIN = {"no_parameters": True}


def _others(connection: sa.Connection, waiting: int) -> tuple[str, ...]:
    """The sessions that the waiting one waits for where the server knows them, else those that may be meant."""
    rows = connection.exec_driver_sql(_OTHERS.format(waiting=waiting), execution_options=_PLAIN).all()
    chosen = [row for row in rows if row[6]] or [row for row in rows if row[5] is not None] or rows
    return tuple(_told(*row[:6]) for row in chosen[:_MOST])


def _told(number: int, user: str, host: str, command: str, seconds: int, age: int | None) -> str:
    transaction = "" if age is None else f", in a transaction for {age} s"
    return f"connection {number} as {user} from {host}, {command.lower()} for {seconds} s{transaction}"


@contextmanager
def holders_named(connection: sa.Connection) -> Iterator[None]:
    """Adds to a LockTimeout that leaves the scope who may hold the lock now, where the role may see it.

    Raises:
        LockTimeout: for a driver's error that means one, too.
    """
    try:
        yield
    except (LockTimeout, sa.exc.DBAPIError) as error:
        known = error if isinstance(error, LockTimeout) else translate(error)
        if not isinstance(known, LockTimeout):
            raise
        if isinstance(error, sa.exc.DBAPIError):
            known = from_driver(error, translate)
        if "sessions" not in known.details and not connection.invalidated and not connection.closed:
            with contextlib.suppress(sa.exc.DBAPIError), taken_back(connection):
                if found := _others(connection, 0):
                    known.what = f"{known.what} Sessions that may hold it: {'; '.join(found)}."
                    known.details["sessions"] = list(found)
        if known is error:
            raise
        raise known from error
