"""Rows of information_schema, and the tables that they make."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import attrgetter

from framework_m_migrations.adapters.mariadb.expressions import canonical_default, canonical_expression
from framework_m_migrations.adapters.mariadb.options import actual_options
from framework_m_migrations.adapters.mariadb.spelling import AUTO_INCREMENT
from framework_m_migrations.adapters.mariadb.sqltypes import sqlalchemy_type
from framework_m_migrations.adapters.mariadb.typenames import parse_type
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
)

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
    keys = tuple(IndexKey(column, modifiers=_modifiers(order, size)) for column, order, size in raw.keys)
    method = None if raw.kind in _PLAIN else _method(raw.kind)
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
