"""NOT NULL without a long lock, labels of enumerations, and statements of the author's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from framework_m_migrations.adapters.sql.ddl import DdlWriter
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql.columns import labels_of, refuse_lost_labels
from framework_m_migrations.adapters.sql.dialects.postgresql.online.backfill import fill_nulls
from framework_m_migrations.adapters.sql.dialects.postgresql.online.constraints import ensure_check
from framework_m_migrations.adapters.sql.dialects.postgresql.online.sending import (
    Sender,
    as_stored,
    on_postgresql,
    read_table,
    sender,
    target_of,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.text import NAME_LIMIT, cut, qualified, written
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, RevisionError
from framework_m_migrations.domain.schema import Check, Column, ColumnType, EnumType, Table, TableName

_MARK = "m_migrate_not_null"
"""In the names of the checks that stand in for NOT NULL until it is there."""


def set_not_null(
    table_name: str,
    column_name: str,
    *,
    fill: str | None = None,
    schema: str | None = None,
    existing_type: sa.types.TypeEngine[Any] | None = None,
    batch_size: int = 1000,
    pause: float = 0.05,
) -> None:
    """Forbid NULL in a column, in four non-blocking steps.

    A check is added without a look at the rows, then validated while others work; NOT NULL then needs no look at them
    (PostgreSQL 12), and the check goes. A valid check that says the same is used as it is, and stays.

    Args:
        table_name: of the table.
        column_name: of the column.
        fill: SQL expression for rows that hold NULL, written in batches before; see ``backfill``.
        schema: of the table, None for the connection's own.
        existing_type: the column's type, for databases where Alembic rebuilds the table.
        batch_size: keys in a batch of it.
        pause: seconds between its batches.

    Raises:
        RevisionError: there is no such table or column.
        DatabaseError: a row holds NULL; the column is as it was.
    """
    if not on_postgresql():
        _plain(table_name, column_name, fill, schema, existing_type, nullable=False)
        return
    with sender() as sending:
        target = target_of(sending)
        name = target.names.table(table_name, schema)
        column = target.spelling.identifier(column_name)
        own = Check(_check_name(name, column), f"{written(column)} IS NOT NULL")
        if sending.offline:
            if fill is not None:
                fill_nulls(sending, name, column, fill, batch_size=batch_size, pause=pause, resumes=True)
            ensure_check(sending, name, own, validate=True)
            _finish(sending, name, column, own)
            return
        table = read_table(sending, name)
        if not _column(table, column).nullable:
            _finish(sending, name, column, own if _named(table, own) else None)
            return
        if _stands_in(sending, table, own) is not None:
            _finish(sending, name, column, own if _named(table, own) else None)
            return
        if fill is not None:
            fill_nulls(sending, name, column, fill, batch_size=batch_size, pause=pause, resumes=True)
        _prove(sending, name, own, column, fill, batch_size)
        _finish(sending, name, column, own)


def drop_not_null(
    table_name: str,
    column_name: str,
    *,
    schema: str | None = None,
    existing_type: sa.types.TypeEngine[Any] | None = None,
) -> None:
    """Allow NULL in a column, under a short lock.

    Args:
        table_name: of the table.
        column_name: of the column.
        schema: of the table, None for the connection's own.
        existing_type: the column's type, for databases where Alembic rebuilds the table.
    """
    if not on_postgresql():
        _plain(table_name, column_name, None, schema, existing_type, nullable=True)
        return
    with sender() as sending:
        target = target_of(sending)
        column = Column(target.spelling.identifier(column_name), ColumnType(""))
        sending.short(sending.statements(o.DropNotNull(target.names.table(table_name, schema), column)))


def add_enum_value(
    enum_name: str,
    value: str,
    *,
    after: str | None = None,
    before: str | None = None,
    schema: str | None = None,
) -> None:
    """Add a label to an enumeration; nothing happens where it has it, or where the database has no enumerations.

    Args:
        enum_name: of the type.
        value: the label.
        after: the label that it shall stand behind; last where nothing is given.
        before: the label that it shall stand in front of.
        schema: of the type, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        sending.perform([o.AddEnumValue(TableName(enum_name, schema), value, after, before)])


def set_enum_values(enum_name: str, values: Sequence[str], *, schema: str | None = None) -> None:
    """Give an enumeration just these labels, in this order; it is made where there is none.

    Not for a table in use: PostgreSQL can only add labels, so another type takes its place, and each table with a
    column of it is rewritten under a lock. All is done in the revision's own transaction. On databases without
    enumerations of their own nothing is done.

    Args:
        enum_name: of the type.
        values: all labels that it shall have.
        schema: of the type, None for the connection's own.

    Raises:
        ValuesWouldBeLost: rows hold a label that goes; nothing was changed.
        RevisionError: the revision is printed and not run: which columns there are is read from the database.
    """
    if not on_postgresql():
        return
    context = op.get_context()
    connection = context.connection
    if context.as_sql or connection is None:
        raise RevisionError(
            f"The columns of {enum_name} are not known without the database.", next_step="Run it there."
        )
    name = TableName(enum_name, schema)
    before, after = labels_of(connection, qualified(name, None)), tuple(values)
    if before == after:
        return
    writer = DdlWriter(connection, PostgresqlDialect())
    if before is None:
        found = writer.statements(o.CreateEnum(EnumType(name, after)))
    else:
        operation = o.SetLabels(EnumType(name, before), EnumType(name, after))
        refuse_lost_labels(operation, connection, None)
        found = writer.statements(operation)
    for sql in found:
        send_text(connection, PostgresqlDialect(), sql)


def execute(*statements: str) -> None:
    """Send statements of one's own in one transaction, which waits for locks briefly and is tried again.

    Each is sent as it stands: no colon is a bind parameter, no percent sign is doubled. What the revision did before
    is committed first; so that it can be run again, they should be written with IF EXISTS and IF NOT EXISTS.

    Raises:
        LockTimeout: the tries are used up; none has had an effect.
        DatabaseError: the database refused one; none has had an effect.
    """
    if not on_postgresql():
        for sql in statements:
            op.execute(sa.text(sql.replace(":", r"\:")))
        return
    with sender() as sending:
        sending.short(statements, brief=False)


def _plain(
    table: str,
    column: str,
    fill: str | None,
    schema: str | None,
    existing_type: sa.types.TypeEngine[Any] | None,
    *,
    nullable: bool,
) -> None:
    if fill is not None:
        quote = op.get_context().dialect.identifier_preparer.quote
        place = quote(table) if schema is None else f"{quote(schema)}.{quote(table)}"
        sql = f"UPDATE {place} SET {quote(column)} = {fill} WHERE {quote(column)} IS NULL"  # noqa: S608 - the author's
        op.execute(sa.text(sql.replace(":", r"\:")))
    with op.batch_alter_table(table, schema=schema) as batch:
        batch.alter_column(column, nullable=nullable, existing_type=existing_type)


def _prove(sending: Sender, name: TableName, own: Check, column: str, fill: str | None, batch_size: int) -> None:
    """Let the check be valid; where a row breaks it, it goes again: it would refuse what was allowed before."""
    ensure_check(sending, name, own, validate=False)
    try:
        if fill is not None:
            # Rows that were written with NULL behind the backfill, before the check was there.
            fill_nulls(sending, name, column, fill, batch_size=batch_size, pause=0, resumes=False)
        ensure_check(sending, name, own, validate=True)
    except ConnectionFailed:
        raise
    except DatabaseError:
        sending.short(_dropped(sending, name, own))
        raise


def _finish(sending: Sender, name: TableName, column: str, own: Check | None) -> None:
    """NOT NULL, and the check that stood in for it gone, in one transaction."""
    operation = o.SetNotNull(name, Column(column, ColumnType(""), nullable=False))
    dropped = () if own is None else _dropped(sending, name, own)
    sending.short([*sending.statements(operation), *dropped])


def _dropped(sending: Sender, name: TableName, own: Check) -> tuple[str, ...]:
    return sending.statements(o.DropConstraint(name, own.name or "", "check"))


def _stands_in(sending: Sender, table: Table, own: Check) -> Check | None:
    """A valid check that says the column is not NULL."""
    stored = as_stored(sending, table, check=own)
    if stored is None:
        return None
    return next((one for one in table.checks if one.valid and one.expression == stored.expression), None)


def _named(table: Table, own: Check) -> bool:
    return any(one.name == own.name for one in table.checks)


def _column(table: Table, name: str) -> Column:
    found = table.column(name)
    if found is None:
        raise RevisionError(
            f"Table {table.name} has no column {name}.", next_step="Correct the name.", details={"column": name}
        )
    return found


def _check_name(table: TableName, column: str) -> str:
    """The same on every run; cut names are told apart by a digest."""
    name = f"{table.name}_{column}_{_MARK}"
    if len(name.encode()) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{cut(f'{table.name}_{column}').encode()[:34].decode(errors='ignore')}_{digest}_{_MARK}"
