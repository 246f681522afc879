"""Drops. Nothing here is reachable from the executor; a session has a pruner only where the user asked for drops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.adapters.sql.wanted import Target
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import Table, TableName


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
        self._schema = schema
        self._text = Target.of(connection.dialect, sql_dialect, schema=schema).text

    def apply(self, operation: o.DestructiveOperation) -> None:
        """Carry out one operation.

        Raises:
            DatabaseError: the database refused it; a table that something else still refers to is not forced away.
        """
        for sql in self.render(operation):
            send_text(self._connection, self._sql_dialect, sql)

    def render(self, operation: o.DestructiveOperation) -> tuple[str, ...]:
        """The statements of an operation."""
        own = self._sql_dialect.statements(operation, self._connection, schema=self._schema)
        if own is not None:
            return tuple(self._text.statement(statement) for statement in own)
        return tuple(self._statements(operation))

    def _statements(self, operation: o.DestructiveOperation) -> Iterator[str]:
        text = self._text
        table = text.table(operation.table)
        match operation:
            case o.DropTable():
                yield f"DROP TABLE {table}"
            case o.DropColumn(column=name):
                yield from self._drop_column(operation.table, name)
            case o.DropIndex(index=name):
                yield f"DROP INDEX {text.table(TableName(name, operation.table.schema))}"
            case o.DropConstraint(constraint=name):
                yield f"ALTER TABLE {table} DROP CONSTRAINT {text.quote(name)}"
            case o.DropNotNull(column=column):
                yield f"ALTER TABLE {table} ALTER COLUMN {text.quote(column.name)} DROP NOT NULL"
            case _ as unreachable:
                assert_never(unreachable)

    def _drop_column(self, table: TableName, name: str) -> Iterator[str]:
        """What stands on the column goes first: not every database lets a column go that is indexed or constrained."""
        text = self._text
        inspector = self._sql_dialect.inspector(self._connection, schema=self._schema, ignored=frozenset())
        found = inspector.read([table]).tables.get(table)
        if found is None or found.column(name) is None:
            raise InvalidMetadata(f"Table {table} has no column {name}.")
        alter = f"ALTER TABLE {text.table(table)}"
        for index in _indexes_on(found, name):
            yield f"DROP INDEX {text.table(TableName(index, table.schema))}"
        for key in found.foreign_keys:
            if name in key.columns and key.name is not None:
                yield f"{alter} DROP CONSTRAINT {text.quote(key.name)}"
        yield f"{alter} DROP COLUMN {text.quote(name)}"


def _indexes_on(table: Table, column: str) -> list[str]:
    """Names of the indexes with the column among their keys or included columns, or as a word of an expression."""
    word = re.compile(rf"(?<![\w$]){re.escape(column)}(?![\w$])", re.IGNORECASE)
    return [
        index.name
        for index in table.indexes
        if column in index.include
        or any(key.column == column for key in index.keys)
        or any(word.search(text or "") for text in (index.where, *(key.expression for key in index.keys)))
    ]
