"""SQLAlchemy's objects in PostgreSQL's canonical spelling."""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import elements as sa_elements

from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling, refuse_reserved
from framework_m_migrations.adapters.sql.dialects.postgresql import expressions
from framework_m_migrations.adapters.sql.dialects.postgresql.indexes import canonical_storage, split_key
from framework_m_migrations.adapters.sql.dialects.postgresql.options import (
    declared_options,
    refuse_newer,
    refuse_newer_type,
    refuse_virtual,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    ParsedType,
    cut,
    is_built_in_type,
    named_type,
    parse_type,
)
from framework_m_migrations.adapters.sql.objects import declared_sequence_options
from framework_m_migrations.domain.schema import ColumnType, EnumType, Generated, Table, TableName

_PRIMITIVES = (str, int, float, bool, type(None))
_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_MEMOS = frozenset({"_static_cache_key", "dispatch", "_type_memo"})


class _Uncacheable(Exception):
    """A type holds state that cannot be part of a key."""


class PostgresqlSpelling(BaseSpelling):
    """Implements dialects.base.Spelling.

    Types are compiled once for each class with the same attributes, so that thousands of columns cost little.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        super().__init__(dialect)
        self._compiler: Any = dialect.type_compiler_instance
        self._parsed: dict[object, ParsedType] = {}

    def identifier(self, name: str) -> str:
        """See Spelling: cut to 63 bytes."""
        return cut(name)

    def column_type(self, type_: sa.types.TypeEngine[Any]) -> ColumnType:
        """See Spelling."""
        named = self._named(type_)
        if named is not None:
            element, is_array = named
            name = TableName(cut(str(element.name)), _schema(element))
            spelling = named_type(name.name, name.schema, array=is_array)
            return ColumnType(spelling, spelling.lower(), enum=name, native=type_)
        try:
            key = _key(type_)
        except _Uncacheable:
            parsed = self._parse(type_)
        else:
            known = self._parsed.get(key)
            parsed = self._parsed[key] = self._parse(type_) if known is None else known
        return ColumnType(
            parsed.spelling, parsed.base, parsed.length, parsed.precision, parsed.scale, parsed.collation, None, type_
        )

    def _parse(self, type_: sa.types.TypeEngine[Any]) -> ParsedType:
        parsed = parse_type(self._compiler.process(type_))
        refuse_newer_type(parsed.base, self._dialect)
        return parsed

    def _named(self, type_: sa.types.TypeEngine[Any]) -> tuple[sa.Enum, bool] | None:
        """The enumeration that PostgreSQL keeps as a type of its own, and whether the column is an array of it.

        Raises:
            CompileError: its name, without a schema, means a built-in type.
        """
        simple = type(type_)
        plain = simple.__module__.startswith("sqlalchemy.") and not issubclass(simple, sa.Enum | sa.ARRAY)
        if plain and not type_._variant_mapping:  # noqa: SLF001 - the quick way out for nearly all columns
            return None
        impl: Any = type_.dialect_impl(self._dialect)
        while isinstance(impl, sa.types.TypeDecorator):
            impl = impl.impl_instance.dialect_impl(self._dialect)
        if isinstance(impl, sa.ARRAY):
            inner = self._named(impl.item_type)
            return None if inner is None else (inner[0], True)
        if isinstance(impl, sa.Enum) and impl.native_enum and impl.name:
            if impl.schema is None and is_built_in_type(str(impl.name)):
                raise sa.exc.CompileError(
                    f"the enumeration {impl.name} has the name of a type of PostgreSQL's own, which its columns would "
                    "get instead: give it another name"
                )
            return impl, False
        return None

    def enum_types(self, type_: sa.types.TypeEngine[Any]) -> tuple[EnumType, ...]:
        """See Spelling."""
        named = self._named(type_)
        if named is None:
            return ()
        enum = named[0]
        name = TableName(cut(str(enum.name)), _schema(enum))
        return (EnumType(name, tuple(str(value) for value in enum.enums), native=enum),)

    def default(self, sql: str, type_: ColumnType) -> str | None:
        """See Spelling."""
        return canonical_default(sql, type_)

    def is_volatile(self, sql: str) -> bool:
        """See Spelling: whatever calls a function that is not known to be stable counts as volatile."""
        return expressions.is_volatile(sql)

    def expression(self, sql: str) -> str:
        """See Spelling."""
        return expressions.canonical_expression(sql)

    def generated(self, column: sa.Column[Any]) -> Generated | None:
        """See Spelling."""
        if column.computed is not None:
            return self._computed(column.computed)
        if column.identity is not None and self._supports("supports_identity_columns"):
            identity = column.identity
            type_ = self.column_type(column.type)
            return Generated(
                "identity", always=bool(identity.always), options=declared_sequence_options(identity, type_.base)
            )
        return Generated("serial") if self._is_serial(column) else None

    def _computed(self, computed: sa.Computed) -> Generated:
        text = self.rendered(computed.sqltext)
        virtual = self._supports("supports_virtual_generated_columns")
        stored = not virtual if computed.persisted is None else bool(computed.persisted)
        if not stored:
            refuse_virtual(self._dialect)
        return Generated("computed", self.expression(text), stored=stored, always=True)

    def _is_serial(self, column: sa.Column[Any]) -> bool:
        """As PGDDLCompiler.get_column_specification decides it."""
        if not column.primary_key or column is not column.table._autoincrement_column:  # noqa: SLF001
            return False
        impl: Any = column.type.dialect_impl(self._dialect)
        if isinstance(impl, sa.types.TypeDecorator):
            impl = impl.impl
        if isinstance(impl, sa.SmallInteger) and not self._supports("supports_smallserial"):
            return False
        default: Any = column.default
        return default is None or (isinstance(default, sa.Sequence) and default.optional)

    def _supports(self, trait: str) -> bool:
        return bool(getattr(self._dialect, trait, False))

    def table_options(self, table: sa.Table) -> tuple[tuple[str, str], ...]:
        """See Spelling, and options.py."""
        says = table.__dict__
        return declared_options(table) if "dialect_options" in says or says.get("_prefixes") else ()

    def index_options(self, index: sa.Index) -> tuple[str | None, tuple[str, ...], tuple[tuple[str, str], ...]]:
        """See Spelling. Options: ``nulls_not_distinct``, ``tablespace``, and ``with.NAME`` for storage parameters."""
        if not index.dialect_kwargs:
            return None, (), ()
        given = index.dialect_options["postgresql"]
        options: dict[str, str] = {}
        if given["nulls_not_distinct"] is True and index.unique:
            options["nulls_not_distinct"] = "true"
        if given["tablespace"]:
            options["tablespace"] = str(given["tablespace"])
        for name, value in (given["with"] or {}).items():
            options[f"with.{str(name).lower()}"] = canonical_storage(value)
        method = str(given["using"] or "btree").lower()
        include = tuple(cut(str(item if isinstance(item, str) else item.name)) for item in given["include"] or ())
        return None if method == "btree" else method, include, tuple(sorted(options.items()))

    def binary(self, value: bytes) -> str:
        """See Spelling: of bytea."""
        return f"'\\x{value.hex()}'"

    def refuse(self, table: Table) -> None:
        """See Spelling: system columns, schemas of the server's own, what is newer than the server."""
        columns = [column.name for column in table.columns if column.name in _SYSTEM_COLUMNS]
        schemas = [table.name.schema] if (table.name.schema or "").startswith("pg_") else []
        refuse_reserved(table.name, [*columns, *map(str, schemas)])
        refuse_newer(table, self._dialect)

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        """See Spelling: ``COLLATE``, operator class, ``DESC``, ``NULLS FIRST | LAST``, defaults left out."""
        expression: Any = index.expressions[position]
        if not index.dialect_kwargs and isinstance(expression, sa.Column):
            return rendered, ""
        inner = expression
        while isinstance(inner, sa_elements.UnaryExpression) and inner.modifier is not None:
            inner = inner.element
        classes = index.dialect_options["postgresql"]["ops"] if index.dialect_kwargs else {}
        keys = [getattr(item, "key", None) for item in (expression, inner)]
        chosen = next((classes[key] for key in keys if key in classes), None)
        return split_key(rendered, chosen)


def canonical_default(sql: str, type_: ColumnType, printed: str | None = None) -> str | None:
    """A default in canonical form, None for no default.

    Args:
        sql: its text.
        type_: of the column.
        printed: how the server itself writes casts to the column's type, where that is known.
    """
    spelling = type_.spelling if type_.collation is None else type_.spelling.partition(" COLLATE ")[0]
    accepted = {parse_type(spelling).printed}
    if type_.length is None:
        # An explicit cast to a length cuts and fills, where an assignment would refuse.
        accepted.add(spelling)
    if printed is not None:
        accepted.add(printed)
    return expressions.canonical_default(sql, type_.base, frozenset(accepted))


def _schema(type_: Any) -> str | None:
    return None if type_.schema is None else cut(str(type_.schema))


def _key(value: Any) -> object:
    """What two types must share to be compiled to the same text.

    Raises:
        _Uncacheable: there is state in it whose meaning is not known.
    """
    if isinstance(value, _PRIMITIVES):
        return value
    if isinstance(value, sa.types.TypeEngine):
        state = value.__dict__
        items = tuple((name, _key(state[name])) for name in sorted(state) if name not in _MEMOS)
        return (type(value), items)
    if isinstance(value, tuple | list):
        return tuple(_key(item) for item in value)
    if isinstance(value, dict | sa.util.immutabledict):
        mapping = cast("dict[object, object]", value)
        return tuple((_key(name), _key(mapping[name])) for name in mapping)
    if isinstance(value, type):
        return value
    raise _Uncacheable
