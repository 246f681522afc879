"""Reads what tables a SQLite database has in a constant number of statements.

sqlite_master gives the names and texts; the table-valued pragmas (https://www.sqlite.org/pragma.html#pragfunc), joined
to it, give what SQLite itself understood. Names of constraints, checks, collations and expressions stand only in the
texts, which are parsed where they hold such a thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import quoted

type Execute = Callable[[str, tuple[object, ...]], Sequence[Any]]
"""Runs one statement with positional parameters and returns all its rows."""

_VIRTUAL = "CREATE VIRTUAL"
_SHADOW_SUFFIXES = (
    "content",
    "docsize",
    "config",
    "data",
    "idx",
    "segments",
    "segdir",
    "stat",
    "node",
    "parent",
    "rowid",
)


class RawColumn(NamedTuple):
    """A row of table_xinfo. ``hidden`` is 2 for a virtual generated column, 3 for a stored one."""

    name: str
    type: str
    not_null: bool
    default: str | None
    key_position: int
    hidden: int


@dataclass(slots=True)
class RawForeignKey:
    """A foreign key; a target column is None where the primary key is meant."""

    target: str
    on_update: str
    on_delete: str
    columns: list[str] = field(default_factory=list)
    target_columns: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class RawIndex:
    """An index.

    ``origin`` is c for CREATE INDEX, u for UNIQUE, pk for PRIMARY KEY; a key is (column, descending, collation), its
    column None for an expression.
    """

    name: str
    unique: bool
    origin: str
    partial: bool
    sql: str | None
    keys: list[tuple[str | None, bool, str | None]] = field(default_factory=list)


@dataclass(slots=True)
class RawTable:
    """All that was read of one table. Foreign keys are in the order of their text."""

    name: str
    sql: str
    columns: list[RawColumn] = field(default_factory=list)
    foreign_keys: list[RawForeignKey] = field(default_factory=list)
    indexes: list[RawIndex] = field(default_factory=list)


@dataclass(slots=True)
class RawCatalog:
    """Tables by name, and the names of all ordinary tables, read or not."""

    tables: dict[str, RawTable]
    names: list[str]


def read_raw(
    execute: Execute,
    *,
    schema: str = "main",
    tables: Collection[str] | None = None,
    ignored: frozenset[str] = frozenset(),
    has_table_list: bool = True,
) -> RawCatalog:
    """Read the tables of one schema.

    Args:
        execute: runs statements.
        schema: ``main`` or the name of an attached database.
        tables: which tables to read; all when None.
        ignored: names that must not show up.
        has_table_list: SQLite is at least 3.37 and can tell shadow tables.
    """
    reader = _Reader(execute, schema, tables)
    master = reader.master()
    found = [row for row in master if row[0] == "table" and not _is_internal(row[1]) and row[1] not in ignored]
    virtual = [row[1] for row in found if row[3].startswith(_VIRTUAL)]
    hidden = frozenset(virtual)
    if virtual:
        hidden |= reader.shadows() if has_table_list else _guessed_shadows(virtual, (row[1] for row in found))
    rows = [row for row in found if row[1] not in hidden]
    names = [row[1] for row in rows]
    wanted = None if tables is None else frozenset(tables)
    read = {row[1]: RawTable(row[1], row[3]) for row in rows if wanted is None or row[1] in wanted}
    if read:
        reader.columns(read)
        reader.foreign_keys(read)
        reader.indexes(read, {row[1]: row[3] for row in master if row[0] == "index"})
    return RawCatalog(read, names)


def _is_internal(name: str) -> bool:
    return name[:7].lower() == "sqlite_"


def _guessed_shadows(virtual: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """Before 3.37 SQLite tells no shadow tables; those of its own modules have fixed names."""
    possible = {f"{name}_{suffix}" for name in virtual for suffix in _SHADOW_SUFFIXES}
    return frozenset(name for name in names if name in possible)


class _Reader:
    def __init__(self, execute: Execute, schema: str, tables: Collection[str] | None) -> None:
        self._execute = execute
        self._schema = schema
        self._master = f"{quoted(schema)}.sqlite_master"
        self._chosen = "" if tables is None else " AND m.name IN (SELECT value FROM json_each(?))"
        self._parameters: tuple[object, ...] = () if tables is None else (json.dumps(sorted(tables)),)

    def master(self) -> Sequence[Any]:
        """(type, name, table, text) of all tables, and of the indexes that CREATE INDEX made on the chosen ones."""
        chosen = self._chosen.replace("m.name", "tbl_name")
        return self._execute(
            f"SELECT type, name, tbl_name, sql FROM {self._master}"  # noqa: S608
            f" WHERE sql IS NOT NULL AND (type = 'table' OR (type = 'index'{chosen}))",
            self._parameters,
        )

    def shadows(self) -> frozenset[str]:
        rows = self._execute("SELECT name FROM pragma_table_list WHERE type = 'shadow' AND schema = ?", (self._schema,))
        return frozenset(row[0] for row in rows)

    def _joined(self, columns: str, joins: str, *, order: str, schemas: int) -> Sequence[Any]:
        """Rows of pragma functions for each ordinary table: virtual ones may need a module that is not loaded."""
        sql = (
            f"SELECT m.name, {columns} FROM {self._master} AS m {joins} WHERE m.type = 'table'"  # noqa: S608
            f" AND m.sql NOT LIKE '{_VIRTUAL}%' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'{self._chosen}{order}"
        )
        return self._execute(sql, (self._schema,) * schemas + self._parameters)

    def columns(self, tables: dict[str, RawTable]) -> None:
        rows = self._joined(
            'x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden',
            "JOIN pragma_table_xinfo(m.name, ?) AS x",
            order="",
            schemas=1,
        )
        for table, name, type_, not_null, default, key, hidden in rows:
            raw = tables.get(table)
            if raw is not None and hidden != 1:
                raw.columns.append(RawColumn(name, type_, not_null != 0, default, key, hidden))

    def foreign_keys(self, tables: dict[str, RawTable]) -> None:
        rows = self._joined(
            'x.id, x."table", x."from", x."to", x.on_update, x.on_delete',
            "JOIN pragma_foreign_key_list(m.name, ?) AS x",
            # SQLite numbers them from the last one back.
            order=" ORDER BY m.name, x.id DESC, x.seq",
            schemas=1,
        )
        last: tuple[str, int] | None = None
        for table, number, target, column, target_column, on_update, on_delete in rows:
            raw = tables.get(table)
            if raw is None:
                continue
            if last != (table, number):
                last = (table, number)
                raw.foreign_keys.append(RawForeignKey(target, on_update, on_delete))
            raw.foreign_keys[-1].columns.append(column)
            raw.foreign_keys[-1].target_columns.append(target_column)

    def indexes(self, tables: dict[str, RawTable], texts: Mapping[str, str]) -> None:
        rows = self._joined(
            'x.name, x."unique", x.origin, x.partial, i.name, i."desc", i.coll, i.cid',
            "JOIN pragma_index_list(m.name, ?) AS x JOIN pragma_index_xinfo(x.name, ?) AS i ON i.key = 1",
            order="",
            schemas=2,
        )
        known: dict[str, RawIndex] = {}  # Names of indexes are unique within a schema.
        for table, name, unique, origin, partial, column, descending, collation, position in rows:
            index = known.get(name)
            if index is None:
                raw = tables.get(table)
                if raw is None:
                    continue
                index = known[name] = RawIndex(name, unique != 0, origin, partial != 0, texts.get(name))
                raw.indexes.append(index)
            index.keys.append((column if position >= 0 else None, descending != 0, collation))
