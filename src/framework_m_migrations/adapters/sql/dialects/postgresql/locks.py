"""The migration lock: an advisory lock of a session of its own, or a lease where a proxy pools transactions."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.conflicts import relation_sql
from framework_m_migrations.adapters.sql.dialects.postgresql.errors import translate
from framework_m_migrations.adapters.sql.dialects.postgresql.text import execute, string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import (
    is_pooled,
    mark_pooled,
    reading,
    refuse_counted_names,
    taken_back,
)
from framework_m_migrations.adapters.sql.errors import translated
from framework_m_migrations.adapters.sql.ledger import LEASE_TABLE, only_tables
from framework_m_migrations.adapters.sql.watching import Heartbeat
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
_NAME = relation_sql(LEASE_TABLE)
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
            ConnectionFailed: there was no second connection.
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
        with _second_connection_needed(), translated(translate), _second_connection(self._session) as own:
            mark_pooled(own)
            return work(own.execution_options(isolation_level="AUTOCOMMIT"))


@contextmanager
def _second_connection_needed() -> Iterator[None]:
    """Translate what an engine or a network raises that has no second connection to give."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise ConfigurationError(
            "The engine's pool gave no second connection, which the migration lock needs.",
            next_step="Hand over an engine whose pool has room for two connections, or NullPool.",
        ) from error
    except OSError as error:
        raise ConnectionFailed(f"No second connection for the migration lock: {error}.") from error


def _second_connection(session: sa.Connection) -> sa.Connection:
    own = session.engine.connect()
    if own.connection.dbapi_connection is session.connection.dbapi_connection:
        own.close()
        raise ConfigurationError(
            "The engine gives out one connection for all, and the migration lock needs its own.",
            next_step="Hand over an engine with NullPool or QueuePool instead of StaticPool.",
        )
    return own


# The migration lock: an advisory lock of a session of its own, or a lease where a proxy pools transactions.
#
# It is polled: a session that waits in pg_advisory_lock holds a snapshot, for which a concurrent index build of
# the holder would wait in turn. Where a proxy pools transactions, a session lock belongs to nobody; see
# locks.py.


_NAMESPACE = "framework_m_migrations"
_LOCK_HOLDER = """
SELECT l.pid, NULLIF(a.application_name, ''), a.usename::text, host(a.client_addr),
       to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
  AND l.classid::bigint = {high} AND l.objid::bigint = {low}
"""


def lock_key(database: str, schema: str) -> int:
    """The advisory lock of a schema, a signed number of 64 bits."""
    digest = hashlib.sha256(f"{_NAMESPACE}\0{database}\0{schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class PostgresqlLock:
    """Implements ports.lock.MigrationLock: by an advisory lock, or by a lease behind a proxy.

    Args:
        connection: the session's; its engine gives the lock a connection of its own on the first ``try_acquire``.
        schema: the session's schema, None for the connection's own.
        kind: ``auto`` (a lease where a proxy is seen), ``advisory`` or ``lease``, for proxies that are not seen.
    """

    def __init__(self, connection: sa.Connection, *, schema: str | None, kind: str = "auto") -> None:
        self._session = connection
        self._schema = schema
        self._kind = kind
        self._chosen: AdvisoryLock | Lease | None = None

    def try_acquire(self) -> bool:
        """See the port, AdvisoryLock and Lease."""
        return self._choice().try_acquire()

    def release(self) -> None:
        """See the port."""
        if self._chosen is not None:
            self._chosen.release()

    def holder(self) -> str | None:
        """See the port."""
        return self._choice().holder()

    def _choice(self) -> AdvisoryLock | Lease:
        if self._chosen is None:
            with reading(self._session):
                if self._kind == "lease":
                    mark_pooled(self._session)
                pooled = self._kind != "advisory" and is_pooled(self._session)
                if pooled:
                    with taken_back(self._session):
                        refuse_counted_names(self._session)
                key = self._key()
            self._chosen = Lease(self._session, key) if pooled else AdvisoryLock(self._session, key)
        return self._chosen

    def _key(self) -> int:
        """Asked of the session's own connection, for whose search_path it may have been set by hand."""
        sql = "SELECT current_database()::text, COALESCE(current_schema()::text, '')"
        database, schema = self._session.exec_driver_sql(sql).one()
        return lock_key(database, self._schema or schema)


class AdvisoryLock:
    """Implements ports.lock.MigrationLock.

    Args:
        connection: the session's; its engine gives the lock a connection of its own on the first ``try_acquire``.
        key: of the database and schema.
    """

    def __init__(self, connection: sa.Connection, key: int) -> None:
        self._session = connection
        self._key = key
        self._own: sa.Connection | None = None
        self._held = False

    def try_acquire(self) -> bool:
        """See the port.

        Raises:
            ConfigurationError: the caller's engine gives out one connection only.
            ConnectionFailed: there was no second connection.
            LedgerNameTaken: the table of leases has a name that is something else's.
        """
        if self._held and self._own is not None and not self._own.invalidated:
            return True
        connection = self._connect()
        table = f"pg_catalog.to_regclass('{LEASE_TABLE}') IS NOT NULL"
        try:
            answer = connection.exec_driver_sql(f"SELECT pg_catalog.pg_try_advisory_lock({self._key}), {table}").one()
            self._held = bool(answer[0])
            if self._held and answer[1] and there(connection) and not ended(connection, self._key):
                # Somebody behind a proxy is at work.
                self._unlock(connection)
        except BaseException:
            # Not closed alone: a pool would keep the connection, and the lock with it.
            self.release()
            raise
        return self._held

    def _unlock(self, connection: sa.Connection) -> None:
        self._held = False
        connection.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_unlock({self._key})").close()

    def release(self) -> None:
        """See the port. Closing the connection alone would do, but for a pool that keeps it."""
        connection, held = self._own, self._held
        self._held = False
        try:
            if connection is not None and held and not connection.invalidated:
                self._unlock(connection)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
        finally:
            self._close()

    def holder(self) -> str | None:
        """See the port: process id, application, role, address and since when; never a statement."""
        if self._own is not None:
            return self._told(self._own)
        with taken_back(self._session):
            return self._told(self._session)

    def _told(self, connection: sa.Connection) -> str | None:
        unsigned = self._key % 2**64
        row = connection.exec_driver_sql(_LOCK_HOLDER.format(high=unsigned >> 32, low=unsigned % 2**32)).first()
        if row is None:
            return holder(connection, self._key) if there(connection) else None
        pid, application, role, address, since = row
        parts = [f"process {pid}"]
        if application:
            parts.append(f"of {application}")
        if role:
            parts.append(f"as {role}")
        if address:
            parts.append(f"from {address}")
        if since:
            parts.append(f"since {since} UTC")
        return " ".join(parts)

    def _connect(self) -> sa.Connection:
        if self._own is not None and not self._own.invalidated:
            return self._own
        self._close()
        with _second_connection_needed():
            own = _second_connection(self._session)
        self._own = own.execution_options(isolation_level="AUTOCOMMIT")
        return self._own

    def _close(self) -> None:
        connection, self._own, self._held = self._own, None, False
        if connection is not None:
            connection.close()
