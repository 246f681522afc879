"""The migration lock: GET_LOCK on the session's own connection.

The server ties it to the connection, so that it outlives the commits that DDL makes, and ends with the connection,
however that ends. It is the very connection that sends the DDL: a proxy or a time limit that cuts one from the other
can never leave a migrator at work without its lock. Galera clusters keep such locks on one node only.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.scopes import taken_back

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
