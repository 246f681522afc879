"""Drops. Nothing here is reachable from the executor; a session has a pruner only where the user asked for drops."""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.ddl import DdlWriter
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.domain import operations as o


class SqlPruner:
    """Applies destructive operations on one connection. Implements ports.pruner.Pruner.

    Args:
        connection: statements run in whatever transaction the caller has set up on it.
        sql_dialect: its dialect.
        schema: the session's schema, None for the connection's default.
    """

    def __init__(self, connection: sa.Connection, sql_dialect: SqlDialect, *, schema: str | None = None) -> None:
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._writer = DdlWriter(connection, sql_dialect, schema=schema)

    def apply(self, operation: o.DestructiveOperation) -> None:
        """Carry out one operation.

        Raises:
            DatabaseError: the database refused it; a table that something else still refers to is not forced away.
        """
        for sql in self.render(operation):
            send_text(self._connection, self._sql_dialect, sql)

    def render(self, operation: o.DestructiveOperation) -> tuple[str, ...]:
        """The statements of an operation."""
        return self._writer.statements(operation)
