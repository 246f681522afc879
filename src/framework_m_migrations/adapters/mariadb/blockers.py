"""Who may hold what a statement waited for.

The server names the holder of a row's lock. That of a table's metadata lock it names only with a plugin
(metadata_lock_info); without it the open transactions of the same database are named, which hold such locks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.failures import translate
from framework_m_migrations.adapters.mariadb.scopes import taken_back
from framework_m_migrations.adapters.sql.errors import from_driver
from framework_m_migrations.domain.errors import LockTimeout

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
