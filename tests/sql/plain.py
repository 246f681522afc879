"""A dialect with nothing of its own, so that the shared adapters are tested as they are."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import BaseDialect
from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.schema import (
    Catalog,
    Column,
    ColumnType,
    EnumType,
    Generated,
    Index,
    IndexKey,
    Table,
    TableName,
)


class PlainSpelling(BaseSpelling):
    """SQLAlchemy's own spelling, with white space evened out."""

    def __init__(self, dialect: sa.Dialect) -> None:
        super().__init__(dialect)
        self.dialect = dialect

    def identifier(self, name: str) -> str:
        return name.encode()[:63].decode(errors="ignore") if self.dialect.name == "postgresql" else name

    def column_type(self, type_: sa.types.TypeEngine[Any]) -> ColumnType:
        enums = self.enum_types(type_)
        return ColumnType(type_.compile(dialect=self.dialect), enum=enums[0].name if enums else None, native=type_)

    def enum_types(self, type_: sa.types.TypeEngine[Any]) -> tuple[EnumType, ...]:
        if self.dialect.name == "postgresql" and isinstance(type_, sa.Enum) and type_.native_enum:
            return (EnumType(TableName(str(type_.name), type_.schema), tuple(type_.enums), native=type_),)
        return ()

    def default(self, sql: str, type_: ColumnType) -> str | None:
        return None if sql.upper() == "NULL" else self.expression(sql)

    def is_volatile(self, sql: str) -> bool:
        return "random" in sql

    def expression(self, sql: str) -> str:
        return " ".join(sql.split()) if "'" not in sql else sql.strip()

    def generated(self, column: sa.Column[Any]) -> Generated | None:
        if column.computed is not None:
            return Generated("computed", str(column.computed.sqltext), stored=bool(column.computed.persisted))
        if self.dialect.name == "postgresql":
            if column.identity is not None:
                return Generated("identity", always=bool(column.identity.always))
            if column.primary_key and column is column.table.autoincrement_column and column.default is None:
                return Generated("serial")
        return None

    def binary(self, value: bytes) -> str:
        return f"'\\x{value.hex()}'" if self.dialect.name == "postgresql" else f"X'{value.hex()}'"

    def index_options(self, index: sa.Index) -> tuple[str | None, tuple[str, ...], tuple[tuple[str, str], ...]]:
        given = index.dialect_options[self.dialect.name]
        return given.get("using") or None, tuple(given.get("include") or ()), ()

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        match = re.match(r"(?is)^(.*?)((?:\s+(?:desc|asc|nulls first|nulls last))*)$", rendered)
        assert match is not None
        return match[1], " ".join(match[2].upper().split())


class PlainInspector:
    """As much of a catalog reader as the pruner needs."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def read(self, tables: Any = None) -> Catalog:
        inspector = sa.inspect(self.connection)
        found = {}
        for name in tables:
            columns = tuple(Column(c["name"], ColumnType(str(c["type"]))) for c in inspector.get_columns(name.name))
            indexes = tuple(
                Index(str(i["name"]), tuple(IndexKey(column) for column in i["column_names"]))
                for i in inspector.get_indexes(name.name)
            )
            found[name] = Table(name, columns, indexes=indexes)
        return Catalog(found, frozenset(found))


class PlainDialect(BaseDialect[PlainSpelling, Any]):
    """SqlDialect with the shared forms alone."""

    spelling_class = PlainSpelling

    def __init__(self, name: str) -> None:
        self.name = name

    def lexical(self, dialect: sa.Dialect) -> Lexical:
        return Lexical()

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        postgres = self.name == "postgresql"
        return Capabilities(
            self.name,
            comments=postgres,
            named_enums=postgres,
            schemas=postgres,
            folds_columns=not postgres,
            merges_constraints=postgres,
        )

    def inspector(self, connection: sa.Connection, **options: object) -> Any:
        return PlainInspector(connection)
