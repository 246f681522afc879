"""Reads information_schema and SHOW CREATE TABLE into schema values, with a constant number of statements."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.expressions import canonical_default, canonical_expression
from framework_m_migrations.adapters.sql.dialects.mariadb.options import actual_options
from framework_m_migrations.adapters.sql.dialects.mariadb.spelling import AUTO_INCREMENT
from framework_m_migrations.adapters.sql.dialects.mariadb.types import parse_type, sqlalchemy_type
from framework_m_migrations.domain.schema import (
    Catalog,
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
)

_TABLES = """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_COLLATION, t.TABLE_COMMENT, t.ENGINE, t.CREATE_OPTIONS,
       DATABASE(), @@lower_case_table_names
FROM information_schema.TABLES t
WHERE t.TABLE_SCHEMA IN {schemas} AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, DATABASE(), @@lower_case_table_names
"""
_COLUMNS = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE, c.COLUMN_DEFAULT, c.EXTRA,
       c.COLLATION_NAME, c.GENERATION_EXPRESSION, c.COLUMN_COMMENT
FROM information_schema.COLUMNS c
WHERE c.TABLE_SCHEMA IN {schemas} {named} ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION
"""
_INDEXES = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.INDEX_NAME, c.NON_UNIQUE, c.COLUMN_NAME, c.COLLATION, c.SUB_PART, c.INDEX_TYPE
FROM information_schema.STATISTICS c
WHERE c.TABLE_SCHEMA IN {schemas} {named} ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.INDEX_NAME, c.SEQ_IN_INDEX
"""
_FOREIGN_KEYS = """
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME, c.COLUMN_NAME, c.REFERENCED_TABLE_SCHEMA,
       c.REFERENCED_TABLE_NAME, c.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE
FROM information_schema.KEY_COLUMN_USAGE c
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND r.TABLE_NAME = c.TABLE_NAME
 AND r.CONSTRAINT_NAME = c.CONSTRAINT_NAME
WHERE c.TABLE_SCHEMA IN {schemas} AND r.CONSTRAINT_SCHEMA IN {schemas} {named}
  AND c.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME, c.ORDINAL_POSITION
"""
_CHECKS = """
SELECT c.CONSTRAINT_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME, c.LEVEL, c.CHECK_CLAUSE
FROM information_schema.CHECK_CONSTRAINTS c
WHERE c.CONSTRAINT_SCHEMA IN {schemas} {named} ORDER BY c.CONSTRAINT_SCHEMA, c.TABLE_NAME, c.CONSTRAINT_NAME
"""
DETAILS = (_COLUMNS, _INDEXES, _FOREIGN_KEYS, _CHECKS)


def tables_statement(schemas: Collection[str | None]) -> sa.Executable:
    """All ordinary tables of the schemas; None stands for the connection's own. The last row describes the server."""
    names, parameters = _schemas(schemas)
    return sa.text(_TABLES.format(schemas=names)).bindparams(**parameters)


def detail_statements(schemas: Collection[str | None], named: Collection[str] | None) -> list[sa.Executable]:
    """Columns, indexes, foreign keys and checks, of the tables of these names or of all."""
    names, parameters = _schemas(schemas)
    condition = "" if named is None else "AND c.TABLE_NAME IN :named"
    found: list[sa.Executable] = []
    for template in DETAILS:
        statement = sa.text(template.format(schemas=names, named=condition)).bindparams(**parameters)
        if named is not None:
            statement = statement.bindparams(sa.bindparam("named", sorted(named), expanding=True))
        found.append(statement)
    return found


def _schemas(schemas: Collection[str | None]) -> tuple[str, dict[str, Any]]:
    parameters = {f"schema_{place}": name for place, name in enumerate(sorted(name for name in schemas if name))}
    own = ["DATABASE()"] if None in schemas else []
    return f"({', '.join([*own, *(f':{name}' for name in parameters)])})", parameters


# Rows of information_schema, and the tables that they make.


PRIMARY = "PRIMARY"
_JSON = re.compile(r"json_valid\(`?(?P<name>.*?)`?\)\Z", re.IGNORECASE | re.DOTALL)
_PLAIN = frozenset({"BTREE", "HASH"})
_ON_UPDATE = re.compile(r"on update [^\s,]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A row of COLUMNS."""

    name: str
    type: str
    nullable: str
    default: str | None
    extra: str
    collation: str | None
    expression: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class RawCheck:
    """A row of CHECK_CONSTRAINTS; a check written at a column has the column's name."""

    name: str
    level: str
    clause: str


@dataclass(slots=True)
class RawIndex:
    """An index with its keys: column, order (A, D or None), length of a prefix."""

    unique: bool
    kind: str
    keys: list[tuple[str, str | None, int | None]] = field(default_factory=list)


@dataclass(slots=True)
class RawReference:
    """A foreign key."""

    target: TableName
    on_delete: str
    on_update: str
    columns: list[str] = field(default_factory=list)
    target_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TableTraits:
    """What rides along with an actual table as ``native``."""

    collation: str | None
    engine: str | None


@dataclass(slots=True)
class RawTable:
    """All that was read of one table."""

    name: TableName
    collation: str | None
    comment: str | None
    engine: str | None
    created: str | None = None
    columns: list[RawColumn] = field(default_factory=list)
    indexes: dict[str, RawIndex] = field(default_factory=dict)
    references: dict[str, RawReference] = field(default_factory=dict)
    checks: list[RawCheck] = field(default_factory=list)

    def add_key(
        self, name: str, non_unique: int, column: str, order: str | None, prefix: int | None, kind: str
    ) -> None:
        """Take a row of STATISTICS."""
        index = self.indexes.setdefault(name, RawIndex(not int(non_unique), kind.upper()))
        index.keys.append((column, order, prefix))

    def add_reference(
        self, name: str, column: str, target: TableName, target_column: str, on_delete: str, on_update: str
    ) -> None:
        """Take a row of KEY_COLUMN_USAGE with its rules."""
        reference = self.references.setdefault(name, RawReference(target, on_delete, on_update))
        reference.columns.append(column)
        reference.target_columns.append(target_column)


def build_table(raw: RawTable) -> Table:
    """The table that the rows tell of."""
    documents = {check.name for check in raw.checks if check.level == "Column" and _is_json(check)}
    json = frozenset(column.name for column in raw.columns if column.name in documents and column.type == "longtext")
    primary = raw.indexes.get(PRIMARY)
    uniques = tuple(
        Unique(name, tuple(column for column, _, _ in index.keys))
        for name, index in raw.indexes.items()
        if name != PRIMARY and _is_constraint(index)
    )
    indexes = tuple(
        _index(name, index, raw.engine)
        for name, index in raw.indexes.items()
        if name != PRIMARY and not _is_constraint(index) and not _serves(name, index, raw.references)
    )
    checks = tuple(
        Check(check.name, canonical_expression(check.clause))
        for check in raw.checks
        if check.name not in json or check.level != "Column"
    )
    return Table(
        name=raw.name,
        columns=tuple(_column(column, raw.collation, is_json=column.name in json) for column in raw.columns),
        primary_key=None if primary is None else PrimaryKey(tuple(column for column, _, _ in primary.keys)),
        indexes=tuple(sorted(indexes, key=attrgetter("name"))),
        uniques=tuple(sorted(uniques, key=lambda unique: (unique.name or "", unique.columns))),
        checks=tuple(sorted(checks, key=lambda check: (check.name or "", check.expression))),
        foreign_keys=tuple(
            _foreign_key(name, reference)
            for name, reference in sorted(raw.references.items(), key=lambda item: item[0])
        ),
        comment=raw.comment,
        options=actual_options(raw.engine, raw.collation, raw.created),
        native=TableTraits(raw.collation, raw.engine),
    )


def _is_json(check: RawCheck) -> bool:
    match = _JSON.match(check.clause)
    return match is not None and match["name"].replace("``", "`") == check.name


def _is_constraint(index: RawIndex) -> bool:
    """Whether a unique constraint says all there is to say: the server keeps no other record of one."""
    return index.unique and index.kind in _PLAIN and all(order != "D" and not size for _, order, size in index.keys)


def _serves(name: str, index: RawIndex, references: dict[str, RawReference]) -> bool:
    """Whether the server made the index for a foreign key, whose name it then has: it comes and goes with it."""
    reference = references.get(name)
    return (
        reference is not None
        and not index.unique
        and [column for column, _, _ in index.keys] == reference.columns
        and all(order != "D" and not size for _, order, size in index.keys)
    )


def _index(name: str, raw: RawIndex, engine: str | None) -> Index:
    options = (("using", raw.kind.lower()),) if engine == "MEMORY" else ()
    method = None if raw.kind in _PLAIN else _method(raw.kind)
    # The length of what a spatial index stores is the server's own.
    keys = tuple(
        IndexKey(column, modifiers=_modifiers(order, None if method == "spatial" else size))
        for column, order, size in raw.keys
    )
    return Index(name, keys, unique=raw.unique, method=method, options=options)


def _method(kind: str) -> str:
    return "spatial" if kind in {"RTREE", "SPATIAL"} else kind.lower()


def _modifiers(order: str | None, size: int | None) -> str:
    return " ".join(part for part in (f"({size})" if size else "", "DESC" if order == "D" else "") if part)


def _column(raw: RawColumn, table_collation: str | None, *, is_json: bool) -> Column:
    type_ = actual_type(raw.type, raw.collation, table_collation, is_json=is_json)
    generated = _generated(raw)
    return Column(
        name=raw.name,
        type=type_,
        nullable=raw.nullable == "YES",
        default=None if generated is not None else _default(raw, type_),
        generated=generated,
        comment=raw.comment or None,
    )


def _default(raw: RawColumn, type_: ColumnType) -> str | None:
    on_update = _ON_UPDATE.search(raw.extra)
    if raw.default is None and on_update is None:
        return None
    said = raw.default or "NULL"
    return canonical_default(said if on_update is None else f"{said} {on_update[0]}", type_)


def actual_type(text: str, collation: str | None, table_collation: str | None, *, is_json: bool = False) -> ColumnType:
    """A column's type; its collation is part of the spelling where it is not the table's."""
    if is_json:
        return ColumnType("json", "json", collation=collation, native=sqlalchemy_type("json"))
    parsed = parse_type(text)
    spelling = parsed.bare if collation in {None, table_collation} else f"{parsed.bare} collate {collation}"
    native = sqlalchemy_type(spelling)
    return ColumnType(spelling, parsed.base, parsed.length, parsed.precision, parsed.scale, collation, native=native)


def _generated(raw: RawColumn) -> Generated | None:
    extra = raw.extra.lower()
    if "auto_increment" in extra:
        return AUTO_INCREMENT
    if "generated" in extra and raw.expression:
        stored = "stored" in extra or "persistent" in extra
        return Generated("computed", canonical_expression(raw.expression), stored=stored, always=True)
    return None


def _foreign_key(name: str, raw: RawReference) -> ForeignKey:
    return ForeignKey(
        name,
        tuple(raw.columns),
        raw.target,
        tuple(raw.target_columns),
        _action(raw.on_delete),
        _action(raw.on_update),
    )


def _action(rule: str) -> str | None:
    """RESTRICT and NO ACTION are one to InnoDB, which prints the former."""
    return None if rule.upper() in {"NO ACTION", "RESTRICT"} else rule.upper()


# Reads information_schema into values of the domain.


@dataclass(frozen=True, slots=True)
class _Names:
    """How the server names schemas and tables, and how the session does.

    ``folds``: the server keeps names of tables in lower case, or compares them so (lower_case_table_names 1 or 2); the
    wanted schema has them in lower case then.
    """

    schema: str
    folds: bool

    def folded(self, name: str) -> str:
        """A name as names are compared."""
        return name.lower() if self.folds else name

    def of(self, schema: str, name: str) -> TableName:
        """The session's name of a table."""
        own = self.folded(schema) == self.folded(self.schema)
        return TableName(self.folded(name), None if own else self.folded(schema))


class CatalogReader:
    """Reads tables over one connection.

    Args:
        connection: to the database.
        schema: the session's (a database, in MariaDB's words), None for the connection's own.
        ignored: tables of that schema that never show up.
        also: further schemas that ``read`` of everything takes in.
    """

    def __init__(
        self, connection: sa.Connection, schema: str | None, ignored: frozenset[str], also: frozenset[str]
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._ignored = ignored
        self._also = also

    def read(self, tables: Collection[TableName] | None) -> Catalog:
        """See Inspector.read: five statements, one where no table is asked for."""
        beside = self._also if tables is None else {name.schema for name in tables if name.schema is not None}
        schemas = {self._schema, *beside}
        *rows, last = self._rows(tables_statement(schemas))
        names = _Names(str(self._schema or last[6]), int(last[7]) != 0)
        ignored = {names.folded(name) for name in self._ignored}
        raw: dict[tuple[str, str], RawTable] = {}
        for schema, name, collation, comment, engine, created, *_ in rows:
            known = names.of(schema, name)
            if known.schema is not None or known.name not in ignored:
                raw[schema, name] = RawTable(known, collation, comment or None, engine, created)
        found = frozenset(table.name for table in raw.values())
        wanted = {key for key, table in raw.items() if tables is None or table.name in tables}
        if not wanted:
            return Catalog({}, found)
        self._fill(raw, names, schemas, None if tables is None else {name for _, name in wanted})
        return Catalog({raw[key].name: build_table(raw[key]) for key in raw if key in wanted}, found)

    def _fill(
        self,
        raw: dict[tuple[str, str], RawTable],
        names: _Names,
        schemas: Collection[str | None],
        named: Collection[str] | None,
    ) -> None:
        columns, indexes, keys, checks = (self._rows(query) for query in detail_statements(schemas, named))
        # Views have columns too, and another session may have made a table since the first statement.
        other = RawTable(TableName(""), None, None, None)
        for row in columns:
            raw.get((row[0], row[1]), other).columns.append(RawColumn(*row[2:]))
        for row in indexes:
            raw.get((row[0], row[1]), other).add_key(*row[2:])
        for row in keys:
            raw.get((row[0], row[1]), other).add_reference(row[2], row[3], names.of(row[4], row[5]), *row[6:])
        for row in checks:
            raw.get((row[0], row[1]), other).checks.append(RawCheck(*row[2:]))

    def _rows(self, query: sa.Executable) -> list[Any]:
        return [tuple(_text(value) for value in row) for row in self._connection.execute(query)]


def _text(value: Any) -> Any:
    """Some drivers give long texts of the server's own tables as bytes."""
    return value.decode("utf-8") if isinstance(value, (bytes, bytearray)) else value
