"""Rows whose values a change would lose, counted before anything is changed."""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.altering import way
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_autocommit
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute, qualified
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import ValuesWouldBeLost


def refuse_losses(operation: o.AlterType | o.SetGenerated, connection: sa.Connection, schema: str | None) -> None:
    """Go on where every value has a counterpart; one query, and none where no value can be without one.

    The table is locked before it is read, as the change itself would lock it, so that no other session writes such a
    value in between. In an autocommit block that is not possible.

    Args:
        operation: what is about to be done.
        connection: of the revision.
        schema: the session's.

    Raises:
        ValuesWouldBeLost: rows hold values that would be lost.
    """
    lost = _lost(operation, connection, schema)
    if lost is None:
        return
    condition, next_step = lost
    table, name = qualified(operation.table, schema), operation.before.name
    if not is_autocommit(connection):
        execute(connection, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    query = f"SELECT count(*) FROM {table} WHERE {condition}"  # noqa: S608 - names are quoted
    rows = int(execute(connection, query).scalar_one())
    if rows == 0:
        return
    raise ValuesWouldBeLost(
        f"{_what(operation)} would lose values: {rows} row{'s' if rows != 1 else ''} of {operation.table} hold"
        f"{'' if rows != 1 else 's'} a value that it cannot keep.",
        next_step=f"Correct these rows, or {next_step} (`SELECT {written(name)} FROM {table} WHERE {condition}`).",  # noqa: S608
        details={"table": str(operation.table), "column": name, "rows": rows},
    )


def _lost(
    operation: o.AlterType | o.SetGenerated, connection: sa.Connection, schema: str | None
) -> tuple[str, str] | None:
    name = written(operation.before.name)
    if isinstance(operation, o.AlterType):
        taken = way(operation, connection, schema)
        loses = None if taken.chosen else taken.conversion.loses()
        if loses is None:
            return None
        return f"{name} IS NOT NULL AND {loses}", "give the conversion that you want as postgresql_using"
    old, new = operation.before.generated, operation.column.generated
    if new is None or new.kind != "computed" or (old is not None and old.kind == "computed"):
        return None
    return f"{name} IS DISTINCT FROM ({new.expression})", "drop the column and add the computed one"


def _what(operation: o.AlterType | o.SetGenerated) -> str:
    place = f"{operation.table}.{operation.before.name}"
    if isinstance(operation, o.AlterType):
        return f"The change of {place} from {operation.before.type} to {operation.column.type}"
    return f"The computed expression of {place}"
