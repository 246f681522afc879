"""Rows that are shorter than their table, and what a new default would do to them.

ALTER TABLE ADD COLUMN writes no row: for what a record lacks, SQLite reads the default from the definition
(https://www.sqlite.org/fileformat2.html, 2.1). A default that is changed there alone would change all these rows.
Nobody can see which they are, but each has the old default's value, so all rows that have it are written out first.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, in_transaction
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import literal, quoted
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.operations import SetDefault
from framework_m_migrations.domain.schema import TableName

_ON_UPDATE = re.compile(r"\A(?:(?!\bBEGIN\b).)*\bUPDATE\b", re.IGNORECASE | re.DOTALL)


def written_out(operation: SetDefault, connection: sa.Connection, *, schema: str) -> tuple[str, ...]:
    """The statements that make rows independent of the default which is about to change.

    Args:
        operation: the change; its ``before`` tells the default as it is.
        connection: in the transaction of the edit, or in none where the statements are only shown.
        schema: where the table is.

    Raises:
        DatabaseError: a trigger of the application would fire on that. Only inside the transaction of the edit.
    """
    table, column, default = operation.table, operation.column.name, operation.before.default
    if in_transaction(connection):
        trigger = firing_trigger(table, column, default, connection, schema=schema)
        if trigger is not None:
            raise DatabaseError(
                f"The default of {table}.{column} cannot be changed in place: rows that have it "
                f"must be written again, and the trigger {trigger} would fire for each.",
                next_step="Change the table with a revision: `m-migrate create`.",
                details={"table": str(table), "column": column, "trigger": trigger},
            )
    name = quoted(column)
    place = f"{quoted(schema)}.{quoted(table.name)}"
    return (f"UPDATE {place} SET {name} = {name} WHERE {_affected(column, default)}",)  # noqa: S608


def firing_trigger(
    table: TableName, column: str, default: str | None, connection: sa.Connection, *, schema: str
) -> str | None:
    """The name of a trigger that would fire if the rows that have a default were written, None where none would.

    Args:
        table: whose rows.
        column: of the default.
        default: as it is now, None for none.
        connection: read through.
        schema: where the table is.
    """
    place = f"{quoted(schema)}.{quoted(table.name)}"
    for catalog in (f"{quoted(schema)}.sqlite_master", "sqlite_temp_master"):
        chosen = f"type = 'trigger' AND tbl_name = {literal(table.name)} COLLATE NOCASE"
        for name, sql in control(connection, f"SELECT name, sql FROM {catalog} WHERE {chosen}"):  # noqa: S608
            if _ON_UPDATE.search(sql or ""):
                affected = f"SELECT 1 FROM {place} WHERE {_affected(column, default)} LIMIT 1"  # noqa: S608
                return str(name) if control(connection, affected) else None
    return None


def _affected(column: str, default: str | None) -> str:
    return f"{quoted(column)} IS ({default or 'NULL'})"
