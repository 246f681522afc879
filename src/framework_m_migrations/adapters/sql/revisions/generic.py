"""Alembic's operations by the shared writer, for a dialect that brings no impl of its own.

Tables and columns are created as sync creates them. What changes what exists is Alembic's own DDL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.ddl import DdlWriter
from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Table, TableName

if TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl as _Impl

    from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
else:
    # The mixin never stands alone: Alembic's impl, or the project's own, is behind it.
    _Impl = object


class GenericRevisions(_Impl):
    """See SqlDialect.revision_impl. A subclass has ``sql_dialect``."""

    sql_dialect: SqlDialect

    def create_table(self, table: sa.Table, **kw: Any) -> None:
        """As DefaultImpl.create_table."""
        wanted = self._wanted(table)
        if wanted is None:
            super().create_table(table, **kw)
        else:
            self._send(o.CreateTable(wanted, wanted.foreign_keys))

    def drop_table(self, table: sa.Table, **kw: Any) -> None:
        """As DefaultImpl.drop_table."""
        if self.connection is None or self.as_sql or kw.get("if_exists"):
            super().drop_table(table, **kw)
        else:
            self._send(o.DropTable(TableName(table.name, table.schema)))

    def add_column(self, table_name: str, column: sa.Column[Any], *, schema: Any = None, **kw: Any) -> None:
        """As DefaultImpl.add_column."""
        wanted = None if kw.get("if_not_exists") else self._wanted(column.table)
        found = None if wanted is None else wanted.column(column.name)
        if found is None:
            super().add_column(table_name, column, schema=schema, **kw)
        else:
            self._send(o.AddColumn(TableName(table_name, schema), found))

    def drop_column(self, table_name: str, column: sa.Column[Any], *, schema: Any = None, **kw: Any) -> None:
        """As DefaultImpl.drop_column."""
        if self.connection is None or self.as_sql or kw.get("if_exists"):
            super().drop_column(table_name, column, schema=schema, **kw)
        else:
            self._send(o.DropColumn(TableName(table_name, schema), column.name))

    def _wanted(self, table: sa.Table) -> Table | None:
        """The table as sync wants it; None where SQL is only printed."""
        if self.connection is None or self.as_sql:
            return None
        return wanted_table(table, Target.of(self.connection.dialect, self.sql_dialect)).table

    def _send(self, operation: o.Operation) -> None:
        if self.connection is not None:
            for sql in DdlWriter(self.connection, self.sql_dialect).statements(operation):
                send_text(self.connection, self.sql_dialect, sql)
