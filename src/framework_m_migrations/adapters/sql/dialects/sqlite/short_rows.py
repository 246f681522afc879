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
    name, table = quoted(operation.column.name), f"{quoted(schema)}.{quoted(operation.table.name)}"
    affected = f"{name} IS ({operation.before.default or 'NULL'})"
    if in_transaction(connection) and control(connection, f"SELECT 1 FROM {table} WHERE {affected} LIMIT 1"):  # noqa: S608
        _refuse_triggers(operation, connection, schema)
    return (f"UPDATE {table} SET {name} = {name} WHERE {affected}",)  # noqa: S608


def _refuse_triggers(operation: SetDefault, connection: sa.Connection, schema: str) -> None:
    table = operation.table
    for catalog in (f"{quoted(schema)}.sqlite_master", "sqlite_temp_master"):
        chosen = f"type = 'trigger' AND tbl_name = {literal(table.name)} COLLATE NOCASE"
        for name, sql in control(connection, f"SELECT name, sql FROM {catalog} WHERE {chosen}"):  # noqa: S608
            if _ON_UPDATE.search(sql or ""):
                raise DatabaseError(
                    f"The default of {table}.{operation.column.name} cannot be changed in place: rows that have it "
                    f"must be written again, and the trigger {name} would fire for each.",
                    next_step="Change the table with a revision: `m-migrate create`.",
                    details={"table": str(table), "column": operation.column.name, "trigger": name},
                )
