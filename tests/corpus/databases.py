"""Two databases, looked at through their drivers alone, so that nothing of the engine judges itself."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine


class ActualColumn(NamedTuple):
    """A column as the database's catalog has it."""

    type: str
    size: tuple[int | None, ...]
    nullable: bool
    default: str | None


type Schema = dict[str, dict[str, ActualColumn]]
type Rows = dict[str, list[dict[str, object]]]


@dataclass(frozen=True)
class Database:
    """A database under test: the engine that is migrated, and a connection of the driver's to look through."""

    name: str
    migrated: sa.Engine | AsyncEngine
    raw: Any
    mark: str
    columns_query: str
    indexes_query: str
    parse: Callable[[Sequence[Any]], ActualColumn]

    @property
    def engine(self) -> sa.Engine:
        """What events of the migrated engine are listened for on."""
        return self.migrated.sync_engine if isinstance(self.migrated, AsyncEngine) else self.migrated

    def schema(self) -> Schema:
        found: Schema = {}
        for table, column, *rest in self.raw.execute(self.columns_query).fetchall():
            found.setdefault(table, {})[column] = self.parse(rest)
        return found

    def indexes(self) -> set[str]:
        return {row[0] for row in self.raw.execute(self.indexes_query).fetchall()}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is inserted within is committed at once."""
        self.raw.execute("BEGIN")
        yield
        self.raw.execute("COMMIT")

    def insert(self, table: str, rows: Sequence[dict[str, object]]) -> None:
        columns = ", ".join(quoted(name).replace("%", "%%" if self.mark == "%s" else "%") for name in rows[0])
        marks = ", ".join(self.mark for _ in rows[0])
        target = quoted(table).replace("%", "%%" if self.mark == "%s" else "%")
        statement = f"INSERT INTO {target} ({columns}) VALUES ({marks})"
        cursor = self.raw.cursor()
        cursor.executemany(statement, [tuple(row.values()) for row in rows])

    def rows(self, schema: Schema) -> Rows:
        """Every row of every table, with the driver's own values."""
        return {table: self.read(table, list(columns)) for table, columns in schema.items()}

    def read(self, table: str, columns: Sequence[str]) -> list[dict[str, object]]:
        listed = ", ".join(quoted(name) for name in columns)
        found = self.raw.execute(f"SELECT {listed} FROM {quoted(table)} ORDER BY {quoted('name')}").fetchall()
        return [dict(zip(columns, row, strict=True)) for row in found]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def open_sqlite(engine: sa.Engine | AsyncEngine, path: str) -> Database:
    raw = sqlite3.connect(path, isolation_level=None)
    return Database(
        name="sqlite",
        migrated=engine,
        raw=raw,
        mark="?",
        columns_query="""
            SELECT m.name, p.name, p.type, NOT p."notnull" AND NOT p.pk, p.dflt_value
            FROM sqlite_master m JOIN pragma_table_info(m.name) p
            WHERE m.type = 'table' AND m.name LIKE 'tab%' ORDER BY m.name, p.cid
        """,
        indexes_query="SELECT name FROM sqlite_master WHERE type = 'index'",
        parse=_from_sqlite,
    )


def _from_sqlite(row: Sequence[Any]) -> ActualColumn:
    declared, nullable, default = row
    match = re.fullmatch(r"([A-Z]+)(?:\((\d+)(?:, ?(\d+))?\))?", declared)
    assert match is not None, declared
    size = tuple(int(part) for part in match.groups()[1:] if part is not None)
    return ActualColumn(match[1], size, bool(nullable), default)


POSTGRES_TYPES = {
    "character varying": "VARCHAR",
    "text": "TEXT",
    "numeric": "NUMERIC",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "date": "DATE",
    "time without time zone": "TIME",
    "timestamp without time zone": "DATETIME",
    "json": "JSON",
}


def open_postgres(engine: sa.Engine | AsyncEngine, dsn: str) -> Database:
    return Database(
        name="postgresql",
        migrated=engine,
        raw=psycopg.connect(dsn, autocommit=True),
        mark="%s",
        columns_query="""
            SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,
                   is_nullable = 'YES', column_default
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name LIKE 'tab%' ORDER BY table_name, ordinal_position
        """,
        indexes_query="SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
        parse=_from_postgres,
    )


def _from_postgres(row: Sequence[Any]) -> ActualColumn:
    spelled, length, precision, scale, nullable, default = row
    kind = POSTGRES_TYPES[spelled]
    size: tuple[int | None, ...] = ()
    if kind == "VARCHAR" and length is not None:
        size = (length,)
    elif kind == "NUMERIC" and precision is not None:
        size = (precision, scale)
    return ActualColumn(kind, size, bool(nullable), default)


def wanted_column(column: sa.Column[Any]) -> ActualColumn:
    """What the catalog should say of a wanted column; a default only as far as there is one."""
    size: tuple[int | None, ...] = ()
    if isinstance(column.type, sa.Text):
        kind = "TEXT"
    elif isinstance(column.type, sa.String):
        kind, size = "VARCHAR", (column.type.length,)
    elif isinstance(column.type, sa.Numeric):
        kind, size = "NUMERIC", (column.type.precision, column.type.scale)
    else:
        kind = column.type.__visit_name__.upper()
        kind = {"BIG_INTEGER": "BIGINT", "SMALL_INTEGER": "SMALLINT"}.get(kind, kind)
    default = column.server_default
    text = str(default.arg) if isinstance(default, sa.DefaultClause) else None
    return ActualColumn(kind, size, bool(column.nullable), text)
