"""The migration lock as a row with an end: for databases behind a proxy that pools transactions.

The row is taken for thirty seconds and renewed every five, on connections of its own, so that a holder that dies holds
nobody up for longer than that. All times are the server's. Each statement is a transaction of its own and takes the
advisory lock of the same key for its length: who holds that lock as a session, without the proxy, and who holds the
row exclude each other.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from time import monotonic

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.failures import translate
from framework_m_migrations.adapters.sql.dialects.postgresql.pooling import mark_pooled
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute
from framework_m_migrations.adapters.sql.errors import translated
from framework_m_migrations.adapters.sql.heartbeat import Heartbeat
from framework_m_migrations.adapters.sql.ledger_names import in_postgresql, only_tables
from framework_m_migrations.adapters.sql.ledger_tables import LEASE_TABLE
from framework_m_migrations.domain.errors import ConfigurationError, ConnectionFailed

LENGTH = 30.0
"""Seconds for which the row is taken."""
BEAT = 5.0
"""Seconds between renewals."""

# IF NOT EXISTS alone fails where another session makes the table at the same time and commits first.
_TABLE = f"""
DO $$ BEGIN
    CREATE TABLE IF NOT EXISTS {LEASE_TABLE} (name text PRIMARY KEY, owner text NOT NULL, holder text NOT NULL,
        since timestamptz NOT NULL, until timestamptz NOT NULL);
EXCEPTION WHEN unique_violation OR duplicate_table OR duplicate_object THEN NULL;
END $$
"""
_TAKE = """
WITH free AS MATERIALIZED (SELECT pg_catalog.pg_try_advisory_xact_lock({key}) AS ok)
INSERT INTO {table} AS kept (name, owner, holder, since, until)
SELECT '{key}', {owner}, {holder}, clock_timestamp(), clock_timestamp() + interval '{length} s' FROM free WHERE ok
ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner, holder = EXCLUDED.holder, since = EXCLUDED.since,
    until = EXCLUDED.until WHERE kept.until < clock_timestamp()
RETURNING 1
"""
_RENEW = """
UPDATE {table} SET until = clock_timestamp() + interval '{length} s' WHERE name = '{key}' AND owner = {owner}
RETURNING 1
"""
_NAME = in_postgresql(LEASE_TABLE)
_HOLDER = """
SELECT holder, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM {table}
WHERE name = '{key}' AND until >= clock_timestamp()
"""


def there(connection: sa.Connection) -> bool:
    """Whether anybody has ever taken a lease here.

    Raises:
        LedgerNameTaken: the table's name is something else's, through which a row might get into a table of others.
    """
    return bool(only_tables(execute(connection, _NAME).all()))


def holder(connection: sa.Connection, key: int) -> str | None:
    """Who holds the row now, and since when; the table is there."""
    row = execute(connection, _HOLDER.format(table=LEASE_TABLE, key=key)).first()
    if row is None:
        return None
    who, since = tuple(row)
    return f"{who} since {since} UTC"


def ended(connection: sa.Connection, key: int) -> bool:
    """Take away a row that has come to its end, so that it is renewed no more; False where it has not."""
    execute(connection, f"DELETE FROM {LEASE_TABLE} WHERE name = '{key}' AND until < clock_timestamp()").close()  # noqa: S608 - a number
    return holder(connection, key) is None


def _make(connection: sa.Connection) -> None:
    """Have the table."""
    if not there(connection):
        execute(connection, _TABLE).close()


class Lease:
    """Implements ports.lock.MigrationLock.

    ``try_acquire`` answers from memory while the row is held, and looks at the row again when a renewal is overdue:
    a holder that was stopped for so long that another took the row is told that it holds it no more.

    Args:
        connection: the session's; its engine gives a connection for each statement.
        key: the advisory lock of the same database and schema.
        length: seconds for which the row is taken.
        beat: seconds between renewals.
    """

    def __init__(self, connection: sa.Connection, key: int, *, length: float = LENGTH, beat: float = BEAT) -> None:
        self._session = connection
        self._key = key
        self._length = length
        self._beat = beat
        self._owner = secrets.token_hex(8)
        self._heartbeat: Heartbeat | None = None
        self._until = 0.0
        self._prepared = False

    def try_acquire(self) -> bool:
        """See the port.

        Raises:
            ConfigurationError: the caller's engine gives out one connection only.
            ConnectionFailed: no second connection was to be had.
            MissingPrivilege: the role may not make the table in which leases are kept.
            LedgerNameTaken: something else has that table's name.
        """
        if self._heartbeat is not None:
            if monotonic() < self._until or self._renewed():
                return True
            self._end()
            return False
        if not self._prepared:
            self._on_own_connection(_make)
            self._prepared = True
        asked = monotonic()
        who = string_literal(f"process {os.getpid()} on {socket.gethostname()}")
        sql = _TAKE.format(
            table=LEASE_TABLE, key=self._key, owner=string_literal(self._owner), holder=who, length=self._length
        )
        if not self._on_own_connection(lambda connection: execute(connection, sql).first()):
            return False
        self._until = asked + self._length
        is_async = bool(self._session.dialect.is_async)
        self._heartbeat = Heartbeat(is_async=is_async, every=self._beat, beat=self._renewed)
        return True

    def release(self) -> None:
        """See the port."""
        if self._heartbeat is None:
            return
        self._end()
        mine = f"name = '{self._key}' AND owner = {string_literal(self._owner)}"
        sql = f"DELETE FROM {LEASE_TABLE} WHERE {mine}"  # noqa: S608 - a number and a literal
        self._on_own_connection(lambda connection: execute(connection, sql).close())

    def holder(self) -> str | None:
        """See the port: process, machine and since when."""
        return self._on_own_connection(lambda one: holder(one, self._key) if there(one) else None)

    def _renewed(self) -> bool:
        asked = monotonic()
        sql = _RENEW.format(table=LEASE_TABLE, key=self._key, owner=string_literal(self._owner), length=self._length)
        if not self._on_own_connection(lambda connection: execute(connection, sql).first()):
            self._until = 0.0
            return False
        self._until = asked + self._length
        return True

    def _end(self) -> None:
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            heartbeat.stop()

    def _on_own_connection[T](self, work: Callable[[sa.Connection], T]) -> T:
        """Each statement has a connection for itself: the session's may be in use, or in a transaction."""
        try:
            with translated(translate), self._session.engine.connect() as own:
                if own.connection.dbapi_connection is self._session.connection.dbapi_connection:
                    raise ConfigurationError(
                        "The engine gives out one connection for all, and the migration lock needs its own.",
                        next_step="Hand over an engine with NullPool or QueuePool instead of StaticPool.",
                    )
                mark_pooled(own)
                return work(own.execution_options(isolation_level="AUTOCOMMIT"))
        except sa.exc.TimeoutError as error:
            raise ConfigurationError(
                "The engine's pool gave no second connection, which the migration lock needs.",
                next_step="Hand over an engine whose pool has room for two connections, or NullPool.",
            ) from error
        except OSError as error:
            raise ConnectionFailed(f"No second connection for the migration lock: {error}.") from error
