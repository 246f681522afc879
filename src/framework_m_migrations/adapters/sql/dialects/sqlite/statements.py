"""The statements of operations that SQLite writes in its own way."""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.schema_edit import edit_statements
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import quoted
from framework_m_migrations.domain.lowering import unique_name
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddColumn,
    AddEnumValue,
    AddForeignKey,
    AddUnique,
    AlterType,
    CreateEnum,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropNotNull,
    DropTable,
    Operation,
    RebuildIndex,
    SetComment,
    SetDefault,
    SetNotNull,
    ValidateConstraint,
)
from framework_m_migrations.domain.schema import TableName


def statements(operation: Operation, connection: sa.Connection, *, schema: str) -> tuple[str, ...] | None:
    """The statements of an operation, None for the shared form.

    Args:
        operation: what to do.
        connection: the stored definition is read from it, nothing is changed.
        schema: the schema of tables that name none.

    Raises:
        DatabaseError: the definition cannot be edited in this way.
    """
    match operation:
        case AddCheck() | AddForeignKey() | AlterType() | SetNotNull() | SetDefault() | DropNotNull():
            return edit_statements(operation, connection, schema=schema)
        case AddUnique(table=table, unique=unique):
            # A constraint of its own would need an index that only CREATE TABLE makes; a unique index is the same rule.
            name = unique.name or unique_name(table, unique, None)
            columns = ", ".join(quoted(column) for column in unique.columns)
            place = quoted(table.schema or schema)
            return (f"CREATE UNIQUE INDEX {place}.{quoted(name)} ON {quoted(table.name)} ({columns})",)
        case RebuildIndex(table=table, index=index):
            return (f"REINDEX {quoted(table.schema or schema)}.{quoted(index.name)}",)
        case ValidateConstraint() | SetComment() | CreateEnum() | AddEnumValue():
            return ()
        case _:
            return None


def locked_tables(operation: Operation) -> tuple[TableName, ...]:
    """Tables that exist before an operation and are changed by it."""
    match operation:
        case CreateTable() | CreateEnum() | AddEnumValue():
            return ()
        case (
            AddColumn(table=table)
            | CreateIndex(table=table)
            | RebuildIndex(table=table)
            | AddUnique(table=table)
            | AddCheck(table=table)
            | AddForeignKey(table=table)
            | ValidateConstraint(table=table)
            | AlterType(table=table)
            | SetNotNull(table=table)
            | SetDefault(table=table)
            | SetComment(table=table)
            | DropTable(table=table)
            | DropColumn(table=table)
            | DropIndex(table=table)
            | DropConstraint(table=table)
            | DropNotNull(table=table)
        ):
            return (table,)
