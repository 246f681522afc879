"""A new column's default for the rows from before it, and NOT NULL that is validated later."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import NAME_LIMIT, cut, written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.window import Window
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute, qualified
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import TableName

ALL_ROWS = "SET LOCAL row_security = off"
"""A policy would hide rows from an owner who is bound by it, and they would never get a value: rather an error."""

# PostgreSQL 18 keeps NOT NULL as constraints with names.
_NAMED = """
SELECT k.conname::text FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
WHERE k.conrelid = pg_catalog.to_regclass({table}) AND k.contype = 'n' AND a.attname = {column}
"""


def batch(operation: o.FillColumn, after: str | None, *, schema: str | None) -> tuple[str, ...]:
    """See SqlDialect.batch."""
    table = TableName(operation.table.name, operation.table.schema or schema)
    column = operation.column
    # The rows are locked and changed only while they hold NULL: what somebody wrote in the meantime stays.
    window = Window(
        table,
        {column.name: column.default or "NULL"},
        f"{written(column.name)} IS NULL",
        operation.size,
        narrow=operation.late,
    )
    position = None if after is None else [str(value) for value in json.loads(after)]
    return ALL_ROWS, window.statement(operation.key, position, None)


def settled(
    operation: o.FillColumn | o.SetNotNull | o.ValidateNotNull, connection: sa.Connection | None, schema: str | None
) -> str:
    """The statement of an operation about the NULLs in a column; without a connection the database is not asked."""
    match operation:
        case o.FillColumn():
            return _whole(operation, schema)
        case o.ValidateNotNull():
            return _validated(operation, connection, schema)
        case o.SetNotNull(validate=False):
            return _not_null(operation, schema)
        case o.SetNotNull(table=table, column=column):
            return f"ALTER TABLE {qualified(table, schema)} ALTER COLUMN {written(column.name)} SET NOT NULL"


def _whole(operation: o.FillColumn, schema: str | None) -> str:
    """The same for all rows at once, as it is shown: sync sends it in batches."""
    name = written(operation.column.name)
    order = ", ".join(column.name for column in operation.key).replace("*/", "* /")
    way = "whatever rows still need it" if operation.late else f"by {order}"
    note = f"/* {operation.size} rows at a time, {way}, each time in a transaction of its own */"
    table = qualified(operation.table, schema)
    return f"{note} UPDATE {table} SET {name} = {operation.column.default} WHERE {name} IS NULL"  # noqa: S608 - quoted


def _not_null(operation: o.SetNotNull, schema: str | None) -> str:
    """NOT NULL for rows written from now on; the name is the one that PostgreSQL itself would give it, as a rule."""
    name = written(_name(operation.table.name, operation.column.name))
    table = qualified(operation.table, schema)
    return f"ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {written(operation.column.name)} NOT VALID"


def _validated(operation: o.ValidateNotNull, connection: sa.Connection | None, schema: str | None) -> str:
    """The look at the other rows. The constraint's name is the database's word: somebody may have renamed it."""
    table, column = qualified(operation.table, schema), operation.column.name
    name = _name(operation.table.name, column)
    if connection is not None:
        sql = _NAMED.format(table=string_literal(table), column=string_literal(column))
        if connection.in_transaction():
            found = execute(connection, sql).scalar()
        else:
            with taken_back(connection):
                found = execute(connection, sql).scalar()
        name = str(found) if found is not None else name
    return f"ALTER TABLE {table} VALIDATE CONSTRAINT {written(name)}"


def _name(table: str, column: str) -> str:
    name = f"{table}_{column}_not_null"
    if len(name.encode()) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{cut(f'{table}_{column}').encode()[:40].decode(errors='ignore')}_{digest}_not_null"
