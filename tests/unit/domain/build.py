"""Short spellings of domain values for tests."""

from __future__ import annotations

from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.schema import (
    Catalog,
    Column,
    ColumnType,
    DocTypeSchema,
    EnumType,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)

SERVER = Capabilities(
    "postgresql",
    (18,),
    identifier_limit=63,
    named_enums=True,
    schemas=True,
    comments=True,
    online_index=True,
    deferred_validation=True,
    unique_via_index=True,
    table_locks=True,
)
LOCAL = Capabilities("sqlite", forward_references=True, unique_is_index=True)


def column(name: str, type_: str = "integer", **traits: object) -> Column:
    return Column(name, ColumnType(type_), **traits)  # type: ignore[arg-type]


def index(name: str, *columns: str, unique: bool = False, **traits: object) -> Index:
    return Index(name, tuple(IndexKey(c) for c in columns), unique=unique, **traits)  # type: ignore[arg-type]


def key(columns: str, target: str, name: str | None = None, **traits: object) -> ForeignKey:
    return ForeignKey(name, (columns,), TableName(target), ("id",), **traits)  # type: ignore[arg-type]


def table(name: str, *columns: Column, **traits: object) -> Table:
    own = (column("id", nullable=False), *columns)
    return Table(TableName(name), own, PrimaryKey(("id",)), **traits)  # type: ignore[arg-type]


def doctype(*tables: Table, enums: tuple[EnumType, ...] = ()) -> DocTypeSchema:
    return DocTypeSchema(tables[0].name.name.title(), tables, enums)


def catalog(*tables: Table, enums: tuple[EnumType, ...] = (), others: tuple[str, ...] = ()) -> Catalog:
    return Catalog(
        {one.name: one for one in tables},
        frozenset((*(one.name for one in tables), *(TableName(name) for name in others))),
        {enum.name: enum for enum in enums},
    )


def unique(*columns: str, name: str | None = None) -> Unique:
    return Unique(name, columns)
