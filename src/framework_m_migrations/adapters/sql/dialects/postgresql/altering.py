"""A column's new type, with all that must change along with it: its default, its sequence, its values.

PostgreSQL casts a column's default by the assignment cast; where there is none, the default is dropped before and set
again afterwards. The sequence of a serial column gets the column's type, so that it ends where the column does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.conversions import Conversion, conversion, family
from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import cut, written
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import text
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.typenames import parse_type
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified, type_sql
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Column, ColumnType, TableName

_CASTS = text(
    """
SELECT CASE WHEN b.typtype = 'd' THEN pg_catalog.format_type(b.typbasetype, b.typtypmod) END,
       CASE WHEN a.typtype = 'd' THEN pg_catalog.format_type(a.typbasetype, a.typtypmod) END,
       (SELECT c.castcontext::text FROM pg_catalog.pg_cast c WHERE c.castsource = b.oid AND c.casttarget = a.oid),
       EXISTS (SELECT FROM pg_catalog.pg_cast c WHERE c.castsource = a.oid AND c.casttarget = b.oid)
FROM pg_catalog.pg_type b, pg_catalog.pg_type a
WHERE b.oid = pg_catalog.to_regtype(:before) AND a.oid = pg_catalog.to_regtype(:after)
""",
    before=sa.Text(),
    after=sa.Text(),
)
"""What two types are made of, for domains, and how the server casts the one to the other and back."""

_SEQUENCE = text("SELECT pg_catalog.pg_get_serial_sequence(:tab, :col)", tab=sa.Text(), col=sa.Text())


@dataclass(frozen=True, slots=True)
class Way:
    """How the values get their new type.

    Attributes:
        conversion: by rule, as the server casts, or as the author of a revision wrote it.
        chosen: the author's own expression: whatever it does to the values is meant.
    """

    conversion: Conversion
    chosen: bool = False


def way(operation: o.AlterType, connection: sa.Connection | None, schema: str | None) -> Way:
    """The way that a change of type takes.

    Args:
        operation: the change; its ``using`` is the author's, or empty.
        connection: to ask about types that no rule knows; None for a script, which takes the server's casts.
        schema: the session's.
    """
    if operation.before.generated is not None and operation.before.generated.kind == "computed":
        return Way(Conversion())  # The server works the values out again.
    value = written(operation.before.name)
    found = _found(operation.before.type, operation.column.type, value, connection, schema)
    if operation.using is None:
        return Way(found)
    if found.using is not None and _alike(found.using, operation.using):
        # What the writer would have written: a value that has no counterpart is counted, not met.
        return Way(replace(found, using=operation.using, changes=None))
    return Way(Conversion(operation.using, assignment=found.assignment), chosen=True)


def _alike(one: str, other: str) -> bool:
    return canonical_expression(one).lower() == canonical_expression(other).lower()


def _found(
    before: ColumnType, after: ColumnType, value: str, connection: sa.Connection | None, schema: str | None
) -> Conversion:
    version: tuple[Any, ...] = () if connection is None else tuple(connection.dialect.server_version_info or ())
    known = conversion(before, after, value, schema=schema, version=version)
    if known is not None and "other" not in {family(before), family(after)}:
        return known
    if connection is None:
        return known or Conversion()
    target = type_sql(replace(after, spelling=after.spelling.partition(" COLLATE ")[0]), schema)
    source = type_sql(replace(before, spelling=before.spelling.partition(" COLLATE ")[0]), schema)
    # A type that the same plan creates has no casts.
    told = connection.execute(_CASTS, {"before": source, "after": target}).first()
    old, new, context, back = (None, None, None, False) if told is None else told
    if old is not None or new is not None:
        made_of = before if old is None else _parsed(old)
        return _found(made_of, after if new is None else _parsed(new), value, connection, schema)
    if known is not None:
        return known
    if context in {"i", "a"}:
        if back:
            return Conversion(changes=f"({value}::{target}::{source})::text IS DISTINCT FROM {value}::text")
        # By the server's own convention an implicit cast keeps every value; of another one nobody can tell.
        return Conversion(changes=None if context == "i" else "true")
    # The server has no cast, or one that loses what nobody can count: only a column without values goes over.
    return Conversion(f"NULL::{target}", fails="true", assignment=False)


def _parsed(spelling: str) -> ColumnType:
    parsed = parse_type(spelling)
    return ColumnType(parsed.spelling, parsed.base, parsed.length, parsed.precision, parsed.scale, parsed.collation)


def alter_type(operation: o.AlterType, connection: sa.Connection | None, schema: str | None) -> tuple[str, ...]:
    """The statements of a change of type.

    Args:
        operation: the change.
        connection: to look up what the values alone do not tell.
        schema: the session's.
    """
    taken = way(operation, connection, schema).conversion
    before, column = operation.before, operation.column
    alter = f"ALTER TABLE {qualified(operation.table, schema)} ALTER COLUMN {written(before.name)}"
    using = "" if taken.using is None else f" USING {taken.using}"
    statements = [f"{alter} TYPE {type_sql(column.type, schema)}{using}"]
    if before.default is not None and not taken.assignment:
        statements.insert(0, f"{alter} DROP DEFAULT")
        if column.default is not None:
            statements.append(f"{alter} SET DEFAULT {column.default}")
    if _counts(before) and {family(before.type), family(column.type)} == {"integer"}:
        sequence = sequence_of(operation.table, before.name, connection, schema)
        if sequence is not None:
            statements.append(f"ALTER SEQUENCE {sequence} AS {column.type.base}")
    return tuple(statements)


def _counts(column: Column) -> bool:
    """A serial column: the sequence of an identity column changes its type by itself."""
    return column.generated is not None and column.generated.kind == "serial"


def sequence_of(table: TableName, column: str, connection: sa.Connection | None, schema: str | None) -> str | None:
    """The sequence that a column owns, in SQL; without a connection the name that CREATE TABLE gives it."""
    name = qualified(table, schema)
    if connection is None:
        return sequence_name(table, column, schema)
    found: str | None = connection.execute(_SEQUENCE, {"tab": name, "col": column}).scalar_one()
    return found


def sequence_name(table: TableName, column: str, schema: str | None) -> str:
    """The name that PostgreSQL gives the sequence of a column, as long as no other object has it."""
    return qualified(TableName(cut(f"{table.name}_{column}_seq"), table.schema), schema)


def regclass(name: str) -> str:
    """The name of a sequence or table as an argument of a function."""
    return string_literal(name)
