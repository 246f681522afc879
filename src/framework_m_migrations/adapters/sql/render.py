"""Pieces of DDL written from domain values alone, for what no SQLAlchemy object came along with.

Types, defaults and expressions are the dialect's canonical SQL already and are written as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework_m_migrations.adapters.sql.object_options import identity_sql
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    Unique,
)


def column_list(text: SqlText, names: Sequence[str]) -> str:
    """``(a, b)``."""
    return f"({', '.join(text.quote(name) for name in names)})"


def column(text: SqlText, item: Column, *, default: str | None = None) -> str:
    """A column with its type, its default (``default`` where it has none), what generates it, and NOT NULL."""
    parts = [text.quote(item.name), item.type.spelling]
    value = item.default if item.default is not None else default
    if item.generated is not None:
        parts.append(generated_sql(item.generated))
    elif value is not None:
        parts.append(f"DEFAULT {default_value(value)}")
    if not item.nullable:
        parts.append("NOT NULL")
    return " ".join(part for part in parts if part)


def default_value(sql: str) -> str:
    """A default in a form that every dialect takes: an expression in parentheses, a plain literal bare."""
    bare = sql.replace("_", "").replace(".", "").lstrip("+-").isalnum() or (sql[:1] == sql[-1:] == "'")
    return sql if bare or sql.startswith("(") else f"({sql})"


def generated_sql(generated: Generated) -> str:
    """What fills a column; empty for a sequence, which is its default's."""
    if generated.kind == "computed":
        return f"GENERATED ALWAYS AS ({generated.expression}) {'STORED' if generated.stored else 'VIRTUAL'}"
    if generated.kind == "identity":
        return identity_sql(generated)
    return ""


def primary_key(text: SqlText, item: PrimaryKey) -> str:
    """A primary key as part of CREATE TABLE."""
    key = f"{_named(text, item.name)}PRIMARY KEY {column_list(text, item.columns)}"
    return f"{key}{_included(text, item)}{_deferred(item)}"


def unique(text: SqlText, item: Unique) -> str:
    """A unique constraint."""
    distinct = "NULLS NOT DISTINCT " if ("nulls_not_distinct", "true") in item.options else ""
    unique_key = f"{_named(text, item.name)}UNIQUE {distinct}{column_list(text, item.columns)}"
    return f"{unique_key}{_included(text, item)}{_deferred(item)}"


def _included(text: SqlText, item: PrimaryKey | Unique) -> str:
    include = dict(item.options).get("include")
    return "" if include is None else f" INCLUDE {column_list(text, include.split(', '))}"


def check(text: SqlText, item: Check) -> str:
    """A check or exclusion constraint."""
    clause = item.expression if item.exclusion else f"CHECK ({item.expression})"
    return f"{_named(text, item.name)}{clause}{' NO INHERIT' if item.options else ''}"


def foreign_key(text: SqlText, item: ForeignKey) -> str:
    """A foreign key with its actions."""
    parts = [
        f"{_named(text, item.name)}FOREIGN KEY {column_list(text, item.columns)}",
        f"REFERENCES {text.table(item.target)} {column_list(text, item.target_columns)}",
    ]
    match = dict(item.options).get("match")
    if match is not None:
        parts.append(f"MATCH {match}")
    if item.on_delete is not None:
        parts.append(f"ON DELETE {item.on_delete}")
    if item.on_update is not None:
        parts.append(f"ON UPDATE {item.on_update}")
    return " ".join(parts) + _deferred(item)


def _deferred(item: PrimaryKey | Unique | ForeignKey) -> str:
    options = dict(item.options)
    deferrable = " DEFERRABLE" if options.get("deferrable") == "true" else ""
    return deferrable + (f" INITIALLY {options['initially']}" if "initially" in options else "")


def _named(text: SqlText, name: str | None) -> str:
    return "" if name is None else f"CONSTRAINT {text.quote(name)} "


def index_key(text: SqlText, key: IndexKey) -> str:
    """One key of an index."""
    body = text.quote(key.column) if key.column is not None else f"({key.expression})"
    return f"{body} {key.modifiers}".rstrip()


def create_index(text: SqlText, table: str, item: Index) -> str:
    """CREATE INDEX; ``table`` is the table's name as it is to be written."""
    parts = ["CREATE UNIQUE INDEX" if item.unique else "CREATE INDEX", text.quote(item.name), "ON", table]
    if item.method is not None:
        parts.append(f"USING {item.method}")
    parts.append(f"({', '.join(index_key(text, key) for key in item.keys)})")
    if item.include:
        parts.append(f"INCLUDE {column_list(text, item.include)}")
    if item.where is not None:
        parts.append(f"WHERE {item.where}")
    return " ".join(parts)


def create_table(text: SqlText, item: Table, foreign_keys: Sequence[ForeignKey]) -> str:
    """CREATE TABLE with its constraints, and of its foreign keys those given; indexes and comments are apart."""
    lines = [column(text, entry) for entry in item.columns]
    if item.primary_key is not None:
        lines.append(primary_key(text, item.primary_key))
    lines += [unique(text, entry) for entry in item.uniques]
    lines += [check(text, entry) for entry in item.checks]
    lines += [foreign_key(text, entry) for entry in foreign_keys]
    body = ",\n\t".join(lines)
    return f"CREATE TABLE {text.table(item.name)} (\n\t{body}\n)"
