"""The statements of operations that SQLite writes in its own way."""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.draft import Draft
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, in_transaction
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import TableEdit
from framework_m_migrations.adapters.sql.dialects.sqlite.rebuild import (
    rebuild_statements,
    shown_rebuild,
    stored_definition,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.schema_edit import edit_statements
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import table_kwargs
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import (
    NAME,
    WORD,
    literal,
    lower,
    quoted,
    tokens,
    unquoted,
)
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    AlterType,
    AttachIndex,
    Backfill,
    BesideOperation,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropNotNull,
    DropTable,
    FillColumn,
    Operation,
    RebuildIndex,
    RenameColumn,
    RenameTable,
    SetComment,
    SetDefault,
    SetGenerated,
    SetNotNull,
    SetTableOptions,
    ValidateConstraint,
    ValidateNotNull,
)
from framework_m_migrations.domain.schema import TableName


def statements(operation: Operation | TableEdit, connection: sa.Connection, *, schema: str) -> tuple[str, ...] | None:
    """The statements of an operation, None for the shared form.

    Args:
        operation: what to do.
        connection: the stored definition is read from it, nothing is changed.
        schema: the schema of tables that name none.

    Raises:
        DatabaseError: the definition cannot be edited in this way.
    """
    if isinstance(operation, BesideOperation):
        return ()
    match operation:
        case TableEdit():
            return edit_statements(operation, connection, schema=schema)
        case DropConstraint(table=table, constraint=name) if has_index(connection, name, table.schema or schema):
            return (f"DROP INDEX {quoted(table.schema or schema)}.{quoted(name)}",)
        case SetTableOptions(table=table, before=before, options=options):
            draft = Draft(table, stored_definition(connection, table.name, table.schema or schema))
            draft.set_table_kwargs(table_kwargs(dict(before), dict(options)))
            return rebuild_statements(connection, draft, schema=table.schema or schema)
        case _ if (
            not in_transaction(connection) and (rebuilt := shown_rebuild(operation, connection, schema)) is not None
        ):
            # Only shown: what is sent by a revision, which counts the rows first.
            return rebuilt
        case AddCheck() | AddForeignKey() | AlterType() | SetNotNull() | SetDefault() | DropNotNull():
            return edit_statements(operation, connection, schema=schema)
        case AddUnique():
            return add_unique(operation, schema)
        case DropConstraint():
            return edit_statements(operation, connection, schema=schema)
        case DropColumn():
            return drop_column(operation, connection, schema)
        case RebuildIndex(table=table, index=index):
            return (f"REINDEX {quoted(table.schema or schema)}.{quoted(index.name)}",)
        case AttachIndex() | ValidateConstraint() | ValidateNotNull() | SetComment():
            return ()
        case _:
            return None


def add_unique(operation: AddUnique, schema: str) -> tuple[str, ...]:
    """A unique index of the constraint's name and columns, which is the same rule.

    A constraint of its own would need an index that only CREATE TABLE makes.
    """
    table, unique = operation.table, operation.unique
    name = unique.name or standard_name(unique, Place(table, ()))
    columns = ", ".join(quoted(column) for column in unique.columns)
    place = quoted(table.schema or schema)
    return (f"CREATE UNIQUE INDEX {place}.{quoted(name)} ON {quoted(table.name)} ({columns})",)


def has_index(connection: sa.Connection, name: str, schema: str) -> bool:
    """Whether an index of this name was made by CREATE INDEX: how a unique constraint is added to a table."""
    master = f"{quoted(schema)}.sqlite_master"
    chosen = f"type = 'index' AND sql IS NOT NULL AND name = {literal(name)}"
    return bool(control(connection, f"SELECT 1 FROM {master} WHERE {chosen}"))  # noqa: S608


def drop_column(operation: DropColumn, connection: sa.Connection, schema: str) -> tuple[str, ...]:
    """The indexes on the column, what in the definition refers to it, and the column; each would keep it otherwise."""
    table, name = operation.table, operation.column
    place = table.schema or schema
    rows = control(
        connection,
        f"SELECT name, sql FROM {quoted(place)}.sqlite_master"  # noqa: S608
        f" WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = {literal(table.name)} ORDER BY name",
    )
    indexes = [index for index, sql in rows if _mentions(str(sql), name)]
    return (
        *(f"DROP INDEX {quoted(place)}.{quoted(index)}" for index in indexes),
        *edit_statements(operation, connection, schema=schema),
        f"ALTER TABLE {quoted(place)}.{quoted(table.name)} DROP COLUMN {quoted(name)}",
    )


def _mentions(sql: str, column: str) -> bool:
    """Whether a CREATE INDEX names a column in its keys or its predicate."""
    found = tokens(sql)
    opening = next((position for position, token in enumerate(found) if token.text == "("), len(found))
    named = (token for token in found[opening:] if token.kind in {WORD, NAME})
    return any(lower(unquoted(token.text)) == lower(column) for token in named)


def locked_tables(operation: Operation) -> tuple[TableName, ...]:
    """Tables that exist before an operation and are changed by it."""
    if isinstance(operation, BesideOperation):
        return ()
    match operation:
        case CreateTable():
            return ()
        case (
            AddColumn(table=table)
            | CreateIndex(table=table)
            | AttachIndex(table=table)
            | RebuildIndex(table=table)
            | AddUnique(table=table)
            | AddCheck(table=table)
            | AddForeignKey(table=table)
            | ValidateConstraint(table=table)
            | AlterType(table=table)
            | FillColumn(table=table)
            | SetNotNull(table=table)
            | ValidateNotNull(table=table)
            | SetDefault(table=table)
            | SetComment(table=table)
            | DropTable(table=table)
            | DropColumn(table=table)
            | DropIndex(table=table)
            | DropConstraint(table=table)
            | DropNotNull(table=table)
            | RenameTable(before=table)
            | RenameColumn(table=table)
            | SetGenerated(table=table)
            | SetTableOptions(table=table)
            | Backfill(table=table)
        ):
            return (table,)
