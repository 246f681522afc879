"""Alembic's operations on PostgreSQL, in the statements of the dialect's writer.

What Alembic does right stays with it. A change of type, and of how the database fills a column, takes what the catalog
says of the column: values are converted on purpose, a default that cannot be cast is set anew, a sequence follows its
column. Nothing is changed while rows hold values that would be lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader, text
from framework_m_migrations.adapters.sql.dialects.postgresql.columns import alter_type, set_generated, way
from framework_m_migrations.adapters.sql.dialects.postgresql.conversions import conversion
from framework_m_migrations.adapters.sql.dialects.postgresql.inspector import refuse_losses
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import PostgresqlSpelling
from framework_m_migrations.adapters.sql.dialects.postgresql.text import execute, qualified, written
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import RevisionError
from framework_m_migrations.domain.schema import Column, TableName

if TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl as _Impl
else:
    # The mixin never stands alone: Alembic's impl, or the project's own, is behind it.
    _Impl = object

_FILLED = text(
    """
SELECT a.attidentity <> '' OR a.attgenerated <> '' FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.to_regclass(:tab) AND a.attname = CAST(:col AS text)
""",
    tab=sa.Text(),
    col=sa.Text(),
)
"""Whether the database fills a column by an identity or an expression."""


class PostgresqlRevisions(_Impl):
    """See SqlDialect.revision_impl."""

    def alter_column(
        self,
        table_name: str,
        column_name: str,
        *,
        server_default: Any = False,
        type_: sa.types.TypeEngine[Any] | None = None,
        schema: str | None = None,
        existing_server_default: Any = None,
        name: str | None = None,
        **kw: Any,
    ) -> None:
        """As DefaultImpl.alter_column.

        Raises:
            ValuesWouldBeLost: rows hold values that the new type, or the computed expression, has no place for.
            RevisionError: the column's default has no counterpart in the new type.
        """
        connection = self.connection
        filled = server_default is not False and any(
            isinstance(one, sa.Computed | sa.Identity) for one in (server_default, existing_server_default)
        )
        before = None
        if connection is not None and not self.as_sql and server_default is not False and not filled:
            # Alembic's own files do not say what a default takes the place of.
            place = {"tab": qualified(TableName(table_name, schema), None), "col": column_name}
            filled = bool(connection.execute(_FILLED, place).scalar())
        if connection is not None and not self.as_sql and (type_ is not None or filled):
            before = CatalogReader(connection).column(TableName(table_name, schema), column_name)
        if connection is None or before is None:
            super().alter_column(
                table_name,
                column_name,
                server_default=server_default,
                type_=type_,
                schema=schema,
                existing_server_default=existing_server_default,
                **kw,
            )
            self._rename(TableName(table_name, schema), column_name, name)
            return
        table = TableName(table_name, schema)
        using = kw.pop("postgresql_using", None)
        if type_ is not None:
            before = self._retype(connection, table, before, type_, using, keep_default=server_default is False)
        if filled:
            self._refill(connection, table, before, server_default)
            done = server_default is None or isinstance(server_default, sa.Computed | sa.Identity)
            server_default = False if done else server_default
            existing_server_default = None
        super().alter_column(
            table_name,
            column_name,
            server_default=server_default,
            schema=schema,
            existing_server_default=existing_server_default,
            **kw,
        )
        self._rename(table, column_name, name)

    def _rename(self, table: TableName, column: str, name: str | None) -> None:
        if name is not None and name != column:
            renamed = f"RENAME COLUMN {written(column)} TO {written(name)}"
            self._exec(f"ALTER TABLE {qualified(table, None)} {renamed}")

    def _retype(
        self,
        connection: sa.Connection,
        table: TableName,
        before: Column,
        type_: sa.types.TypeEngine[Any],
        using: str | None,
        *,
        keep_default: bool,
    ) -> Column:
        after = replace(before, type=PostgresqlSpelling(connection.dialect).column_type(type_))
        operation = o.AlterType(table, before, after, using)
        refuse_losses(operation, connection, None)
        if before.default is not None and not keep_default:
            # The one that goes need not be cast.
            super().alter_column(table.name, before.name, server_default=None, schema=table.schema)
            operation = replace(operation, before=replace(before, default=None), column=replace(after, default=None))
        elif before.default is not None and not way(operation, connection, None).conversion.assignment:
            operation = replace(operation, column=replace(after, default=_default(operation, connection)))
        for sql in alter_type(operation, connection, None):
            execute(connection, sql)
        return operation.column

    @staticmethod
    def _refill(connection: sa.Connection, table: TableName, before: Column, server_default: Any) -> None:
        after = replace(before, default=None, generated=None)
        if isinstance(server_default, sa.Computed | sa.Identity):
            spelling = PostgresqlSpelling(connection.dialect)
            made: sa.Column[Any] = sa.Column(before.name, _Spelled(before.type.spelling), server_default)
            sa.Table(table.name, sa.MetaData(), made)
            after = replace(after, generated=spelling.generated(made))
        operation = o.SetGenerated(table, before, after)
        refuse_losses(operation, connection, None)
        for sql in set_generated(operation, connection, None):
            execute(connection, sql)


class _Spelled(sa.types.UserDefinedType[Any]):
    """A type of which only the spelling is known."""

    cache_ok = True

    def __init__(self, spelling: str) -> None:
        self.spelling = spelling

    def get_col_spec(self, **kw: Any) -> str:
        """The type in DDL."""
        del kw
        return self.spelling


def _default(operation: o.AlterType, connection: sa.Connection) -> str:
    """The column's default as a value of the new type."""
    before, after = operation.before, operation.column
    version: tuple[Any, ...] = tuple(connection.dialect.server_version_info or ())
    found = conversion(before.type, after.type, f"({before.default})", schema=None, version=version)
    if found is None or found.using is None:
        raise RevisionError(
            f"The default {before.default} of {operation.table}.{before.name} has no counterpart in {after.type}.",
            next_step="Give the new default as server_default of the same alter_column.",
            details={"table": str(operation.table), "column": before.name},
        )
    return found.using
