"""Labels of an enumeration, taken away or put in another order.

PostgreSQL adds labels only. So another type takes the place of the one there is, for each column of it, in the
revision's transaction: values go over by their labels, and what is said in the former type (defaults, checks, indexes)
is said again in the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import cut, written
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import text
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_autocommit
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute, qualified
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import ValuesWouldBeLost

_LABELS = text(
    """
SELECT t.typname::text, e.enumlabel::text FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
WHERE t.oid = pg_catalog.to_regtype(:type) ORDER BY e.enumsortorder
""",
    type=sa.Text(),
)
_COLUMNS = text(
    """
SELECT c.oid::regclass::text, pg_catalog.quote_ident(a.attname), t.typelem <> 0,
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
FROM pg_catalog.pg_type e
JOIN pg_catalog.pg_type t ON t.oid IN (e.oid, e.typarray)
JOIN pg_catalog.pg_attribute a ON a.atttypid = t.oid AND NOT a.attisdropped AND a.attinhcount = 0
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE e.oid = pg_catalog.to_regtype(:type) ORDER BY 1, a.attnum
""",
    type=sa.Text(),
)
"""The columns of a type, or of arrays of it: table, name, whether it is an array, default."""
_STANDING = text(
    """
SELECT DISTINCT k.oid IS NULL,
       CASE WHEN k.oid IS NULL THEN 'DROP INDEX ' || i.oid::regclass
            ELSE 'ALTER TABLE ' || k.conrelid::regclass || ' DROP CONSTRAINT ' || pg_catalog.quote_ident(k.conname) END,
       CASE WHEN k.oid IS NULL THEN pg_catalog.pg_get_indexdef(i.oid)
            ELSE 'ALTER TABLE ' || k.conrelid::regclass || ' ADD CONSTRAINT ' || pg_catalog.quote_ident(k.conname)
                 || ' ' || pg_catalog.pg_get_constraintdef(k.oid) END
FROM pg_catalog.pg_type e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (e.oid, e.typarray)
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
  AND k.contype = 'c' AND k.conrelid <> 0 AND k.coninhcount = 0
LEFT JOIN pg_catalog.pg_class i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.oid = d.objid
  AND i.relkind IN ('i', 'I') AND NOT i.relispartition
WHERE e.oid = pg_catalog.to_regtype(:type) AND (k.oid IS NOT NULL OR i.oid IS NOT NULL) ORDER BY 1
""",
    type=sa.Text(),
)
"""Checks and indexes that name a label; how each goes, and comes back."""
_COMMENT = text(
    "SELECT pg_catalog.obj_description(pg_catalog.to_regtype(:type), 'pg_type')",
    type=sa.Text(),
)


@dataclass(frozen=True, slots=True)
class _Column:
    table: str
    name: str
    array: bool
    default: str | None


def labels_of(connection: sa.Connection, type_: str) -> tuple[str, ...] | None:
    """The labels that an enumeration has now, in their order; None where there is none of this name, which is SQL."""
    rows = connection.execute(_LABELS, {"type": type_}).all()
    return tuple(label for _, label in rows if label is not None) if rows else None


def set_labels(operation: o.SetLabels, connection: sa.Connection | None, schema: str | None) -> Iterator[str]:
    """The statements that put another type in the place of an enumeration.

    Args:
        operation: which labels it gets.
        connection: tells which columns, checks and indexes there are; without it only the type itself is written.
        schema: the session's.
    """
    enum = operation.enum
    type_ = qualified(enum.name, schema)
    former = cut(f"{enum.name.name[:40]}_former")
    gone = qualified(enum.name._replace(name=former), schema)
    columns = [] if connection is None else _columns(connection, type_)
    standing = (
        [] if connection is None else [(row[1], row[2]) for row in connection.execute(_STANDING, {"type": type_})]
    )
    comment = None if connection is None else connection.execute(_COMMENT, {"type": type_}).scalar()
    yield from (drop for drop, _ in standing)
    yield from (f"{_alter(one)} DROP DEFAULT" for one in columns if one.default is not None)
    yield f"ALTER TYPE {type_} RENAME TO {written(former)}"
    yield f"CREATE TYPE {type_} AS ENUM ({', '.join(string_literal(value) for value in enum.values)})"
    if comment is not None:
        yield f"COMMENT ON TYPE {type_} IS {string_literal(comment)}"
    for one in columns:
        many = "[]" if one.array else ""
        yield f"{_alter(one)} TYPE {type_}{many} USING {one.name}::text{many}::{type_}{many}"
    yield from (f"{_alter(one)} SET DEFAULT {one.default}" for one in columns if one.default is not None)
    yield from (again for _, again in reversed(standing))
    yield f"DROP TYPE {gone}"


def refuse_lost_labels(operation: o.SetLabels, connection: sa.Connection, schema: str | None) -> None:
    """Go on where no row holds a label that goes; tables are locked before they are read.

    Raises:
        ValuesWouldBeLost: rows hold one.
    """
    kept = ", ".join(string_literal(value) for value in operation.enum.values)
    for one in _columns(connection, qualified(operation.enum.name, schema)):
        if not is_autocommit(connection):
            execute(connection, f"LOCK TABLE {one.table} IN ACCESS EXCLUSIVE MODE")
        many = "[]" if one.array else ""
        holds = f"NOT {one.name}::text[] <@ ARRAY[{kept}]::text[]" if many else f"{one.name}::text NOT IN ({kept})"
        query = f"FROM {one.table} WHERE {holds}"
        rows = int(execute(connection, f"SELECT count(*) {query}").scalar_one())
        if rows:
            raise ValuesWouldBeLost(
                f"Enumeration {operation.enum.name} cannot lose labels: {rows} row{'s' if rows != 1 else ''} of "
                f"{one.table} hold{'' if rows != 1 else 's'} one in {one.name}.",
                next_step=f"Give these rows another value (`SELECT {one.name} {query}`) and run the command again.",
                details={"table": one.table, "column": one.name, "rows": rows},
            )


def _columns(connection: sa.Connection, type_: str) -> list[_Column]:
    return [_Column(*row) for row in connection.execute(_COLUMNS, {"type": type_})]


def _alter(column: _Column) -> str:
    return f"ALTER TABLE {column.table} ALTER COLUMN {column.name}"
