"""Reads what tables a SQLite database has, as schema values, in a constant number of statements."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import (
    ColumnText,
    ForeignKeyText,
    TableText,
    UnreadableSql,
    parse_index,
    read_table,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import canonical_default, canonical_expression
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import (
    column_options,
    computed_column,
    default_affinity,
    key_modifiers,
    table_options,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.text import lower, quoted
from framework_m_migrations.adapters.sql.dialects.sqlite.types import DEFAULT_COLLATION, declared_type
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
    plain_key,
)

# Without any of these words a definition says nothing that the pragmas do not tell.
_TELLING = (
    *("CONSTRAINT", "UNIQUE", "CHECK", "COLLATE", "AUTOINCREMENT", "WITHOUT", "STRICT", "DEFERRABLE", "MATCH"),
    "CONFLICT",
)
_GENERATED = re.compile(r"AS(?![A-Z0-9_])")
_ROWID_TYPE = "INTEGER"

type KeysOfTables = Mapping[str, tuple[str, ...]]
"""Primary keys of tables by their names in lower case, for foreign keys that name no target column."""


def table_text(raw: RawTable) -> TableText | None:
    """The parsed definition, None where it tells nothing more or is not understood."""
    words = raw.sql.upper()
    if not any(word in words for word in _TELLING) and _GENERATED.search(words) is None:
        return None
    try:
        return read_table(raw.sql)
    except UnreadableSql:
        return None


def build_table(raw: RawTable, *, schema: str | None, keys: KeysOfTables, names: Mapping[str, str]) -> Table:
    """The schema value of a table, its parts in the order in which wanted tables have theirs.

    Args:
        raw: what was read.
        schema: of the name to give it; None for the default schema.
        keys: see KeysOfTables.
        names: names of tables by their lower case, so that targets are named as they are, not as they are written.
    """
    text = table_text(raw)
    texts = {} if text is None else {column.name: column for column in text.columns}
    key_columns = primary_key_columns(raw)
    rowid = rowid_alias(raw, text)
    plain = not texts and rowid is None
    columns = tuple(
        [
            _plain_column(column.name, column.type, column.not_null, column.default)
            if plain and not column.hidden
            else _column(column, texts.get(column.name), is_rowid=column.name == rowid)
            for column in raw.columns
        ]
    )
    types = {column.name: column.type for column in columns}
    # One look at all names: nearly always they are plain ASCII.
    plain_names = "".join(types).isascii()
    own = {name.lower() if plain_names else lower(name): name for name in types}
    return Table(
        name=TableName(raw.name, schema),
        columns=columns,
        primary_key=PrimaryKey(key_columns, None if text is None else text.primary_key_name) if key_columns else None,
        indexes=tuple(
            sorted([_index(index, own, types) for index in raw.indexes if index.origin == "c"], key=attrgetter("name"))
        ),
        uniques=_uniques(raw, text),
        checks=_checks(text),
        foreign_keys=_foreign_keys(raw, text, schema=schema, own=own, keys=keys, names=names),
        options=_table_options(text),
    )


def primary_key_columns(raw: RawTable) -> tuple[str, ...]:
    """The columns of the primary key in key order."""
    keyed = sorted((column for column in raw.columns if column.key_position), key=lambda column: column.key_position)
    return tuple(column.name for column in keyed)


def rowid_alias(raw: RawTable, text: TableText | None) -> str | None:
    """The column that is another name of the rowid (lang_createtable.html, ROWIDs and the INTEGER PRIMARY KEY)."""
    keyed = [column for column in raw.columns if column.key_position]
    if len(keyed) != 1 or keyed[0].type.upper() != _ROWID_TYPE or (text is not None and text.without_rowid):
        return None
    # INTEGER PRIMARY KEY DESC in a column's own definition is no alias: SQLite then keeps an index for the key.
    return None if any(index.origin == "pk" for index in raw.indexes) else keyed[0].name


def _table_options(text: TableText | None) -> tuple[tuple[str, str], ...]:
    if text is None:
        return ()
    return table_options(
        strict=text.strict,
        without_rowid=text.without_rowid,
        autoincrement=any(column.autoincrement for column in text.columns),
        conflict=text.primary_key_conflict,
    )


@functools.lru_cache(maxsize=16384)
def _plain_column(name: str, type_: str, not_null: bool, default: str | None) -> Column:
    """A column of which the pragmas tell all. Tables of one application have many alike, and values can be shared."""
    declared = declared_type(type_)
    spelled = None if default is None else canonical_default(default, default_affinity(declared))
    return Column(name, declared, not not_null, spelled, default_sql=None if spelled == default else default)


def _column(raw: RawColumn, text: ColumnText | None, *, is_rowid: bool) -> Column:
    if not (is_rowid or raw.hidden) and (text is None or (text.collation is None and text.conflict is None)):
        return _plain_column(raw.name, raw.type, raw.not_null, raw.default)
    type_ = declared_type(raw.type, None if text is None else text.collation)
    generated: Generated | None = None
    if raw.hidden and text is not None and text.expression is not None:
        generated = computed_column(text.expression, stored=raw.hidden == 3)
    elif raw.hidden:
        generated = Generated("computed", None, raw.hidden == 3)
    default = None
    if raw.default is not None and generated is None:
        default = canonical_default(raw.default, default_affinity(type_))
    options = column_options(None if text is None else text.conflict)
    said = None if default == raw.default else raw.default
    return Column(
        raw.name, type_, not (raw.not_null or is_rowid), default, generated, options=options, default_sql=said
    )


def _index(raw: RawIndex, own: Mapping[str, str], types: Mapping[str, ColumnType]) -> Index:
    if not raw.partial:
        keys = [_plain_key(*key, types) for key in raw.keys]
        if None not in keys:
            return Index(raw.name, tuple([key for key in keys if key is not None]), raw.unique)
    try:
        text = parse_index(raw.sql or "")
    except UnreadableSql:
        return Index(raw.name, tuple(_untold_key(key, types) for key in raw.keys), raw.unique)
    found: list[IndexKey] = []
    for key, (column, descending, _) in zip(text.keys, raw.keys, strict=True):
        if column is None:
            found.append(
                IndexKey(
                    None,
                    canonical_expression(key.expression),
                    key_modifiers(key.collation, None, descending=descending),
                )
            )
        else:
            collation = types[column].collation if column in types else None
            name = own.get(lower(column), column)
            found.append(IndexKey(name, None, key_modifiers(key.collation, collation, descending=descending)))
    where = None if text.where is None else canonical_expression(text.where)
    return Index(raw.name, tuple(found), raw.unique, where)


def _plain_key(
    column: str | None, descending: bool, collation: str | None, types: Mapping[str, ColumnType]
) -> IndexKey | None:
    """A key that is a column compared byte by byte, of which the pragmas tell all; None for any other."""
    if column is None or collation != DEFAULT_COLLATION:
        return None
    type_ = types.get(column)
    if type_ is None or type_.collation is not None:
        return None
    return IndexKey(column, None, "DESC") if descending else plain_key(column)


def _untold_key(key: tuple[str | None, bool, str | None], types: Mapping[str, ColumnType]) -> IndexKey:
    """A key of an index whose text is not understood; an expression then equals nothing that is wanted."""
    column, descending, collation = key
    own = types[column].collation if column is not None and column in types else None
    return IndexKey(column, None if column else "", key_modifiers(collation, own, descending=descending))


def _uniques(raw: RawTable, text: TableText | None) -> tuple[Unique, ...]:
    if text is not None:
        found = [
            Unique(
                unique.name,
                unique.columns,
                () if unique.conflict is None else (("on_conflict", unique.conflict),),
            )
            for unique in text.uniques
        ]
    else:
        found = [
            Unique(None, tuple(column for column, _, _ in index.keys if column is not None))
            for index in raw.indexes
            if index.origin == "u"
        ]
    return tuple(sorted(found, key=lambda unique: (unique.name or "", unique.columns, unique.options)))


def _checks(text: TableText | None) -> tuple[Check, ...]:
    found = [] if text is None else [Check(item.name, canonical_expression(item.expression)) for item in text.checks]
    return tuple(sorted(found, key=lambda check: (check.name or "", check.expression)))


def _foreign_keys(
    raw: RawTable,
    text: TableText | None,
    *,
    schema: str | None,
    own: Mapping[str, str],
    keys: KeysOfTables,
    names: Mapping[str, str],
) -> tuple[ForeignKey, ...]:
    texts: list[ForeignKeyText | None] = [None] * len(raw.foreign_keys)
    if text is not None and len(text.foreign_keys) == len(raw.foreign_keys):
        texts = list(text.foreign_keys)
    found = []
    for item, written in zip(raw.foreign_keys, texts, strict=True):
        target = names.get(lower(item.target), item.target)
        told = tuple(column for column in item.target_columns if column is not None)
        found.append(
            ForeignKey(
                name=None if written is None else written.name,
                columns=tuple(own.get(lower(column), column) for column in item.columns),
                target=TableName(target, schema),
                target_columns=told or keys.get(lower(item.target), ()),
                on_delete=None if item.on_delete == "NO ACTION" else item.on_delete,
                on_update=None if item.on_update == "NO ACTION" else item.on_update,
                options=() if written is None else _options(written),
            )
        )
    return tuple(sorted(found, key=lambda key: (key.name or "", key.columns, key.target, key.target_columns)))


def _options(written: ForeignKeyText) -> tuple[tuple[str, str], ...]:
    options = {
        "deferrable": "true" if written.deferrable else None,
        "initially": written.initially,
        "match": written.match,
    }
    return tuple((name, value) for name, value in options.items() if value is not None)


# Reads what tables a SQLite database has in a constant number of statements.
#
# sqlite_master gives the names and texts; the table-valued pragmas
# (https://www.sqlite.org/pragma.html#pragfunc), joined to it, give what SQLite itself understood. Names of
# constraints, checks, collations and expressions stand only in the texts, which are parsed where they hold such
# a thing.


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
