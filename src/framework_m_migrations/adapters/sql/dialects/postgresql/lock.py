"""The migration lock: an advisory lock of a session of its own.

It is polled: a session that waits in pg_advisory_lock holds a snapshot, for which a concurrent index build of the
holder would wait in turn. Where a proxy pools transactions, a session lock belongs to nobody; such a database needs
another implementation of ports.lock.MigrationLock (a lease in a row), which ``PostgresqlDialect.lock`` would choose.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.settings import taken_back
from framework_m_migrations.domain.errors import ConfigurationError, ConnectionFailed

_NAMESPACE = "framework_m_migrations"
_HOLDER = """
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


class AdvisoryLock:
    """Implements ports.lock.MigrationLock.

    Args:
        connection: the session's; its engine gives the lock a connection of its own on the first ``try_acquire``.
        schema: the session's schema, None for the connection's own.
    """

    def __init__(self, connection: sa.Connection, *, schema: str | None) -> None:
        self._session = connection
        self._schema = schema
        self._own: sa.Connection | None = None
        self._key: int | None = None
        self._held = False

    def try_acquire(self) -> bool:
        """See the port.

        Raises:
            ConfigurationError: the caller's engine gives out one connection only.
            ConnectionFailed: no second connection was to be had.
        """
        if self._held and self._own is not None and not self._own.invalidated:
            return True
        key = self._resolve()
        connection = self._connect()
        try:
            answer = connection.exec_driver_sql(f"SELECT pg_catalog.pg_try_advisory_lock({key})").scalar_one()
        except BaseException:
            self._close()
            raise
        self._held = bool(answer)
        return self._held

    def release(self) -> None:
        """See the port. Closing the connection alone would do, but for a pool that keeps it."""
        connection, held = self._own, self._held
        self._held = False
        try:
            if connection is not None and held and not connection.invalidated:
                connection.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_unlock({self._key})").close()
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
        finally:
            self._close()

    def holder(self) -> str | None:
        """See the port: process id, application, role, address and since when; never a statement."""
        if self._own is None or self._key is None:
            return None
        unsigned = self._key % 2**64
        row = self._own.exec_driver_sql(_HOLDER.format(high=unsigned >> 32, low=unsigned % 2**32)).first()
        if row is None:
            return None
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

    def _resolve(self) -> int:
        """The key; asked of the session's own connection, for whose search_path it may have been set by hand."""
        if self._key is None:
            sql = "SELECT current_database()::text, COALESCE(current_schema()::text, '')"
            with taken_back(self._session):
                database, schema = self._session.exec_driver_sql(sql).one()
            self._key = lock_key(database, self._schema or schema)
        return self._key

    def _connect(self) -> sa.Connection:
        if self._own is not None and not self._own.invalidated:
            return self._own
        self._close()
        engine = self._session.engine
        try:
            own = engine.connect()
        except sa.exc.TimeoutError as error:
            raise ConfigurationError(
                "The engine's pool gave no second connection, which the migration lock needs.",
                next_step="Hand over an engine whose pool has room for two connections, or NullPool.",
            ) from error
        except OSError as error:
            raise ConnectionFailed(f"No second connection for the migration lock: {error}.") from error
        if own.connection.dbapi_connection is self._session.connection.dbapi_connection:
            raise ConfigurationError(
                "The engine gives out one connection for all, and the migration lock needs its own.",
                next_step="Hand over an engine with NullPool or QueuePool instead of StaticPool.",
            )
        self._own = own.execution_options(isolation_level="AUTOCOMMIT")
        return self._own

    def _close(self) -> None:
        connection, self._own, self._held = self._own, None, False
        if connection is not None:
            connection.close()
