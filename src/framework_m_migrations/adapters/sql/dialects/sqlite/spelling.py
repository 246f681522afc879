"""SQLAlchemy's objects and SQL texts in SQLite's canonical spelling; implements base.Spelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import operators

from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling, refuse_reserved
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import UnreadableSql, parse_key
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import (
    canonical_default,
    canonical_expression,
    is_constant_default,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.types import (
    DEFAULT_COLLATION,
    affinity,
    bare_spelling,
    collate_clause,
    collation_name,
    declared_type,
)
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import ColumnType, Generated, Table

_PRIMITIVES = (str, int, float, bool, type(None))
_IGNORED_ATTRIBUTES = frozenset(
    {"dispatch", "enums", "_enums_argument", "_valid_lookup", "_object_lookup", "enum_class"}
)


def default_affinity(type_: ColumnType) -> str:
    """The affinity by which a default is converted; ANY of STRICT tables converts nothing."""
    text = bare_spelling(type_)
    return "BLOB" if text == "ANY" else affinity(text)


class SqliteSpelling(BaseSpelling):
    """The canonical spelling for one SQLAlchemy dialect object."""

    def __init__(self, dialect: sa.Dialect) -> None:
        super().__init__(dialect)
        self._types: dict[object, ColumnType] = {}

    def column_type(self, type_: sa.types.TypeEngine[Any]) -> ColumnType:
        """The declared type as SQLAlchemy writes it for SQLite.

        Raises:
            InvalidMetadata: SQLAlchemy cannot write this type for SQLite.
        """
        key = self._key(type_)
        known = None if key is None else self._types.get(key)
        if known is None:
            known = self._compiled(type_)
            if key is not None:
                self._types[key] = known
        return ColumnType(
            known.spelling, known.base, known.length, known.precision, known.scale, known.collation, None, type_
        )

    def _key(self, type_: sa.types.TypeEngine[Any]) -> object:
        """What decides how a type is written; None where it cannot be told from plain attributes."""
        found: list[object] = [type(type_)]
        for name, value in type_.__dict__.items():
            if isinstance(value, _PRIMITIVES):
                found.append((name, value))
            elif name == "_variant_mapping":
                if value:
                    return None
            elif name not in _IGNORED_ATTRIBUTES:
                return None
        return tuple(found)

    def _compiled(self, type_: sa.types.TypeEngine[Any]) -> ColumnType:
        try:
            text: str = self._dialect.type_compiler_instance.process(type_)
        except sa.exc.CompileError as error:
            raise InvalidMetadata(f"The type {type_!r} cannot be written for SQLite: {error}") from error
        key = _parsed_key(text)
        return declared_type(*key)

    def default(self, sql: str, type_: ColumnType) -> str | None:
        """A server default in canonical form; None for NULL."""
        return canonical_default(sql, default_affinity(type_))

    def is_volatile(self, sql: str) -> bool:
        """True for what SQLite cannot give to existing rows: all but a literal (lang_altertable.html)."""
        return not is_constant_default(sql)

    def expression(self, sql: str) -> str:
        """An expression in canonical form."""
        return canonical_expression(sql)

    def generated(self, column: sa.Column[Any]) -> Generated | None:
        """A computed expression; identities mean nothing to SQLite."""
        computed = column.computed
        if computed is None:
            return None
        return computed_column(self.rendered(computed.sqltext), stored=computed.persisted is True)

    def table_options(self, table: sa.Table) -> tuple[tuple[str, str], ...]:
        """STRICT, WITHOUT ROWID, AUTOINCREMENT, and the conflict clause of the primary key."""
        given: Any = table.dialect_options["sqlite"] if table.dialect_kwargs else {}
        key = table.primary_key
        only = next(iter(key.columns)) if len(key) == 1 else None
        # The conditions of SQLiteDDLCompiler.get_column_specification.
        counts = only is not None and not only.foreign_keys and issubclass(_affinity_class(only), sa.Integer)
        counts = counts and bool(given.get("autoincrement"))
        word = None if counts or not key.dialect_kwargs else key.dialect_options["sqlite"]["on_conflict"]
        if word is None and only is not None and only.dialect_kwargs:
            word = only.dialect_options["sqlite"]["on_conflict_primary_key"]
        return table_options(
            strict=bool(given.get("strict")),
            without_rowid=not given.get("with_rowid", True),
            autoincrement=counts,
            conflict=word,
        )

    def column_options(self, column: sa.Column[Any]) -> tuple[tuple[str, str], ...]:
        """The conflict clause of NOT NULL."""
        word = None if column.nullable else column.dialect_options["sqlite"]["on_conflict_not_null"]
        return column_options(word)

    def key_takes_null(self, column: sa.Column[Any]) -> bool:
        """Unless it is the rowid, or the table is STRICT or WITHOUT ROWID (lang_createtable.html, 3.5)."""
        given: Any = column.table.dialect_options["sqlite"]
        alone = len(column.table.primary_key) == 1
        rowid = alone and bare_spelling(self.column_type(column.type)).upper() == "INTEGER"
        return not rowid and given["with_rowid"] and not given["strict"]

    def binary(self, value: bytes) -> str:
        """See Spelling."""
        return f"X'{value.hex()}'"

    def refuse(self, table: Table) -> None:
        """See Spelling: names that begin with sqlite_."""
        names = (table.name.name, *(index.name for index in table.indexes))
        refuse_reserved(table.name, [name for name in names if name[:7].lower() == "sqlite_"])

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        """Body and modifiers of a rendered key: ``COLLATE X`` where it is not the column's own, and ``DESC``."""
        try:
            key = parse_key(rendered)
        except UnreadableSql:
            return rendered, ""
        expression: Any = index.expressions[position]
        while not isinstance(expression, sa.Column):
            if isinstance(expression, sa.UnaryExpression):
                expression = expression.element
            elif isinstance(expression, sa.BinaryExpression) and expression.operator is operators.collate:
                expression = expression.left
            else:
                break
        named = expression if isinstance(expression, sa.Column) else _column_named(index, key.column)
        own = None if named is None else self.column_type(named.type).collation
        return key.expression, key_modifiers(key.collation, own, descending=key.descending)


def _affinity_class(column: sa.Column[Any]) -> type[Any]:
    return column.type._type_affinity or object  # noqa: SLF001 - what SQLAlchemy itself asks


def table_options(
    *, strict: bool, without_rowid: bool, autoincrement: bool, conflict: str | None
) -> tuple[tuple[str, str], ...]:
    """The options of a table, sorted; ``conflict`` is the word after ON CONFLICT of its primary key."""
    word = () if conflict is None or conflict.upper() == "ABORT" else (("on_conflict_primary_key", conflict.upper()),)
    found = {"autoincrement": autoincrement, "strict": strict, "without_rowid": without_rowid}
    return tuple(sorted((*((name, "true") for name, is_set in found.items() if is_set), *word)))


def column_options(conflict: str | None) -> tuple[tuple[str, str], ...]:
    """The options of a column; ``conflict`` is the word after ON CONFLICT of its NOT NULL."""
    return () if conflict is None or conflict.upper() == "ABORT" else (("on_conflict_not_null", conflict.upper()),)


def table_kwargs(before: Mapping[str, str], options: Mapping[str, str]) -> dict[str, Any]:
    """The ``table_kwargs`` of a batch that gives a table other options.

    Args:
        before: options that differ, as they are; those of a column are called ``column.option``.
        options: the same as they shall be.
    """
    found: dict[str, Any] = {}
    for name in sorted({*before, *options}):
        column, _, option = name.rpartition(".")
        if column:
            found.setdefault(f"sqlite_{option}", {})[column] = options.get(name)
        elif name.startswith("on_conflict"):
            found[f"sqlite_{name}"] = options.get(name)
        elif name == "without_rowid":
            found["sqlite_with_rowid"] = name not in options
        else:
            found[f"sqlite_{name}"] = name in options
    return found


def computed_column(expression: str, *, stored: bool) -> Generated:
    """A generated column."""
    return Generated("computed", canonical_expression(expression), stored)


def key_modifiers(collation: str | None, own: str | None, *, descending: bool) -> str:
    """The canonical modifiers of an index key.

    Args:
        collation: the one named at the key, None for none.
        own: the column's collation, None for BINARY or where the key is an expression.
        descending: DESC.
    """
    found: list[str] = []
    if collation is not None and collation_name(collation) != (own or DEFAULT_COLLATION):
        found.append(collate_clause(collation_name(collation)))
    if descending:
        found.append("DESC")
    return " ".join(found)


def _column_named(index: sa.Index, name: str | None) -> sa.Column[Any] | None:
    if name is None or index.table is None:
        return None
    return next((column for column in index.table.columns if column.name == name), None)


def _parsed_key(text: str) -> tuple[str, str | None]:
    """Type and collation of a compiled type."""
    try:
        key = parse_key(text)
    except UnreadableSql:
        return text, None
    return (text, None) if key.collation is None else (key.expression, key.collation)
