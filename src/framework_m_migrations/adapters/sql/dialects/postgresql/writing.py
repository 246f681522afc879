"""Pieces of SQL that are sent as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.typenames import named_type
from framework_m_migrations.domain.schema import ColumnType, Generated, Index, IndexKey, TableName


def qualified(name: TableName, schema: str | None) -> str:
    """A table's or type's name with its schema, the session's where it has none of its own."""
    place = name.schema or schema
    return written(name.name) if place is None else f"{written(place)}.{written(name.name)}"


def column_list(names: Iterable[str]) -> str:
    """``(a, b)``."""
    return f"({', '.join(written(name) for name in names)})"


def type_sql(type_: ColumnType, schema: str | None) -> str:
    """A type as DDL takes it, an enumeration with the session's schema."""
    if type_.enum is None or type_.enum.schema is not None or schema is None:
        return type_.spelling
    return named_type(type_.enum.name, schema, array=type_.spelling.endswith("[]"))


def key_sql(key: IndexKey) -> str:
    """One key of an index."""
    body = written(key.column) if key.column is not None else f"({key.expression})"
    return f"{body} {key.modifiers}".rstrip()


def index_sql(index: Index, table: str, *, name: str, words: str = "") -> str:
    """CREATE INDEX from the value alone.

    Args:
        index: what is wanted.
        table: SQL, ONLY included where it is meant.
        name: SQL.
        words: what stands before the name (``CONCURRENTLY ``).
    """
    parts = [f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {words}{name} ON {table}"]
    if index.method:
        parts.append(f"USING {written(index.method)}")
    parts.append(f"({', '.join(key_sql(key) for key in index.keys)})")
    if index.include:
        parts.append(f"INCLUDE {column_list(index.include)}")
    options = dict(index.options)
    if options.get("nulls_not_distinct") == "true":
        parts.append("NULLS NOT DISTINCT")
    storage = [f"{written(k[5:])} = {string_literal(v)}" for k, v in index.options if k.startswith("with.")]
    if storage:
        parts.append(f"WITH ({', '.join(storage)})")
    if "tablespace" in options:
        parts.append(f"TABLESPACE {written(options['tablespace'])}")
    if index.where is not None:
        parts.append(f"WHERE {index.where}")
    return " ".join(parts)


def computed_sql(generated: Generated) -> str:
    """The clause of a computed column."""
    return f"GENERATED ALWAYS AS ({generated.expression}) {'STORED' if generated.stored else 'VIRTUAL'}"


def execute(connection: sa.Connection, sql: str) -> sa.CursorResult[Any]:
    """Send literal SQL: no driver looks for placeholders in it."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
