"""Tables as wanted schema values, and wrong declarations among them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired import constraints as constraints
from framework_m_migrations.adapters.sql.desired.declarable import refuse
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.dialects.base_spelling import Spelling
from framework_m_migrations.adapters.sql.literals import constant_of, literal_of
from framework_m_migrations.adapters.sql.names import Names, unsendable
from framework_m_migrations.adapters.sql.objects import domain_of, wanted_domain, wanted_sequences
from framework_m_migrations.adapters.sql.sqltext import SqlText, verbatim_dialect
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import (
    Column,
    ColumnType,
    EnumType,
    Generated,
    Index,
    PrimaryKey,
    SchemaObject,
    Table,
    TableName,
)

_PLAIN = frozenset({str, int, bool, float, type(None)})
_SAYING_NOTHING = frozenset({"_static_cache_key", "_type_affinity", "_generic_type_affinity", "dispatch"})
"""What SQLAlchemy itself keeps on types."""


class TypeMemo[T]:
    """Remembers results by class and state.

    Args:
        work_out: the careful way, called for whatever is not remembered.
    """

    def __init__(self, work_out: Callable[[sa.types.TypeEngine[Any]], T]) -> None:
        self._work_out = work_out
        self.known: dict[object, T] = {}
        """Results by class, names and values of the state, side by side in the order of their making: the quickest key
        that says all, for loops in which the call would cost more than the look."""

    def __call__(self, type_: sa.types.TypeEngine[Any]) -> T:
        """The result for a type; equal types share one."""
        state = type_.__dict__
        if "dispatch" in state:
            return self._looked_at(type_)
        try:
            return self.known[type_.__class__, *state, *state.values()]
        except (KeyError, TypeError):
            return self._looked_at(type_)

    def _looked_at(self, type_: sa.types.TypeEngine[Any]) -> T:
        class_: type[Any] = type_.__class__
        state = {name: value for name, value in type_.__dict__.items() if name not in _SAYING_NOTHING}
        key = (class_, *state, *state.values())
        try:
            if key in self.known:
                return self.known[key]
        except TypeError:  # State that cannot be hashed is no plain value.
            return self._work_out(type_)
        result = self._work_out(type_)
        # State in slots is not in __dict__, so a class that has any is never remembered.
        if all(value.__class__ in _PLAIN for value in state.values()) and not _has_slots(class_):  # type: ignore[arg-type]
            self.known[key] = result
        return result


@functools.lru_cache(maxsize=1024)
def _has_slots(class_: type) -> bool:
    return any(vars(base).get("__slots__") for base in class_.__mro__)


# Wrong declarations: texts that no statement can hold, names that the server keeps for itself, tables that
# vanish.


def refuse_unsendable(table: Table, enums: Iterable[EnumType]) -> None:
    """Go on where every text of a table can be sent to a database.

    Raises:
        InvalidMetadata: a comment, default, expression, type or label holds a NUL or half a character.
    """
    # Nearly always all is well, and one look at all texts together says so.
    if unsendable("".join(text for _, text in _texts(table, enums))) is None:
        return
    for what, text in _texts(table, enums):
        wrong = unsendable(text)
        if wrong is not None:
            raise InvalidMetadata(f"The {what} of table {table.name} {wrong}: {text!r}.")


_LABEL_LIMIT = 63
"""PostgreSQL's longest label of an enumeration, in bytes; the server refuses a longer one."""


def refuse_temporary(table: sa.Table) -> None:
    """Raise InvalidMetadata for a table that would be gone with the connection that creates it."""
    says = table.__dict__
    words = {word.upper() for prefix in says.get("_prefixes") or () for word in str(prefix).split()}
    on_commit = "dialect_options" in says and table.dialect_kwargs.get("postgresql_on_commit")
    if on_commit or not words.isdisjoint({"TEMPORARY", "TEMP"}):
        raise InvalidMetadata(
            f"Table {table.name} is declared TEMPORARY: it is gone when the connection that creates it is closed.",
            next_step="Let the application create it, from a MetaData of its own.",
            details={"table": str(table.name)},
        )


def refuse_labels(enum: EnumType) -> None:
    """Raise InvalidMetadata for labels that the server refuses."""
    for value in enum.values:
        if len(value.encode("utf-8", "surrogatepass")) > _LABEL_LIMIT:
            raise InvalidMetadata(
                f"The label {value!r} of enumeration {enum.name} is longer than {_LABEL_LIMIT} bytes.",
                next_step="Shorten it, or declare the enumeration with native_enum=False.",
                details={"enumeration": str(enum.name)},
            )
    if len(set(enum.values)) < len(enum.values):
        raise InvalidMetadata(
            f"The enumeration {enum.name} has a label twice: {', '.join(enum.values)}.",
            next_step="Declare each label once.",
            details={"enumeration": str(enum.name)},
        )


def _texts(table: Table, enums: Iterable[EnumType]) -> Iterator[tuple[str, str]]:
    if table.comment:
        yield "comment", table.comment
    for column in table.columns:
        yield from _of_column(column)
    for index in table.indexes:
        yield from _of_index(index)
    for check in table.checks:
        yield "check", check.expression
    for enum in enums:
        for value in enum.values:
            yield f"enumeration {enum.name}", value


def _of_column(column: Column) -> Iterator[tuple[str, str]]:
    yield f"type of column {column.name}", column.type.spelling
    if column.comment:
        yield f"comment of column {column.name}", column.comment
    if column.default is not None:
        yield f"default of column {column.name}", column.default
    if column.fill is not None:
        yield f"default in Python of column {column.name}", column.fill
    if column.generated is not None and column.generated.expression is not None:
        yield f"expression of column {column.name}", column.generated.expression


def _of_index(index: Index) -> Iterator[tuple[str, str]]:
    if index.where is not None:
        yield f"predicate of index {index.name}", index.where
    for key in index.keys:
        if key.expression is not None:
            yield f"expression of index {index.name}", key.expression
    for name, value in index.options:
        yield f"option {name} of index {index.name}", value


# SQLAlchemy tables as wanted schema values, in the canonical spelling of one dialect.


RENAMED_KEY = "renamed_from"
"""Key of ``Table.info`` and ``Column.info`` that declares the name from before."""


class SpelledType(NamedTuple):
    """A type and the enumerations that it needs, those of the session's own schema named without it."""

    type: ColumnType
    enums: tuple[EnumType, ...]
    domains: tuple[SchemaObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The database that wanted values are spelled for.

    ``schema`` is the session's schema: tables declared in it, or in none, belong to the default one.
    """

    dialect: sa.Dialect
    spelling: Spelling
    capabilities: Capabilities
    names: Names
    text: SqlText
    schema: str | None
    types: TypeMemo[SpelledType]
    default: Callable[[str, ColumnType], tuple[str | None, bool]]
    """A server default in canonical form, and whether it is worked out row by row; a schema has few of them."""

    @classmethod
    def of(cls, dialect: sa.Dialect, sql_dialect: SqlDialect, *, schema: str | None = None) -> Target:
        """Put together what a dialect supplies; needs no connection."""
        identifier = sql_dialect.spelling(dialect).identifier
        # What a spelling compiles itself is compared with texts that have no doubled percent signs.
        spelling = sql_dialect.spelling(verbatim_dialect(dialect, identifier))
        names = Names(
            identifier,
            # Tables that name the default schema (public, main) are those of a session that names none.
            schema=schema if schema is not None else dialect.default_schema_name,
            folds_case=sql_dialect.capabilities(dialect).folds_columns,
            # MariaDB's lower_case_table_names, as SQLAlchemy found it.
            folds_tables=getattr(dialect, "_casing", 0) != 0,
        )

        def spelled(type_: sa.types.TypeEngine[Any]) -> SpelledType:
            found = spelling.column_type(type_)
            if found.enum is not None and (relative := names.relative(found.enum)) != found.enum:
                found = replace(found, enum=relative)
            enums = tuple(replace(enum, name=names.relative(enum.name)) for enum in spelling.enum_types(type_))
            domain = domain_of(type_, dialect)
            return SpelledType(found, enums, () if domain is None else (wanted_domain(domain, target),))

        def default(sql: str, type_: ColumnType) -> tuple[str | None, bool]:
            found = spelling.default(sql, type_)
            return found, found is not None and spelling.is_volatile(found)

        target = cls(
            dialect=dialect,
            spelling=spelling,
            capabilities=sql_dialect.capabilities(dialect),
            names=names,
            text=SqlText(dialect, spelling.identifier, schema=schema),
            schema=schema,
            types=TypeMemo(spelled),
            default=functools.cache(default),
        )
        return target


@dataclass(frozen=True, slots=True)
class WantedTable:
    """A table, and the enumerations and other objects that its columns need."""

    table: Table
    enums: tuple[EnumType, ...] = ()
    objects: tuple[SchemaObject, ...] = ()


def wanted_table(table: sa.Table, target: Target) -> WantedTable:
    """What a SQLAlchemy table wants of the database.

    Indexes, unique constraints, checks and foreign keys come sorted, so that the order of declaration means nothing.

    Raises:
        InvalidMetadata: it cannot be built: no columns, a name that no database should store, two names that are one
            to the database, a foreign key without a target, an expression that this dialect cannot write.
    """
    name = target.names.table(table.name, table.schema)
    refuse_temporary(table)
    try:
        others = refuse_foreign(table, target)
        # Before the columns, as one without a type of its own takes that of its foreign key's target.
        foreign_keys = constraints.wanted_foreign_keys(table, target)
        declared = [column for column in table.columns if not column.system]
        types: list[SpelledType] = []
        columns = _columns(declared, types, target)
        if not columns:
            raise InvalidMetadata(f"Table {name} has no columns.")
        target.names.distinct([column.name for column in columns], f"columns of table {name}")
        indexes = constraints.wanted_indexes(table, target)
        uniques = constraints.wanted_uniques(table, others, target)
        checks = constraints.wanted_checks(others, target)
        _check_names(name, indexes, uniques, checks, foreign_keys, target)
        wanted = Table(
            name=name,
            columns=columns,
            primary_key=_primary_key(table, target),
            indexes=indexes,
            uniques=uniques,
            checks=checks,
            foreign_keys=foreign_keys,
            comment=(table.comment or None) if target.capabilities.comments else None,
            options=target.spelling.table_options(table),
            renamed_from=_renamed_from(table.__dict__.get("info"), target, f"the former name of table {name}"),
            native=table,
        )
        enums = _enums(name, types)
        target.spelling.refuse(wanted)
        for enum in enums:
            refuse_labels(enum)
        refuse_unsendable(wanted, enums)
        domains = [domain for spelled in types for domain in spelled.domains]
        return WantedTable(wanted, enums, tuple(dict.fromkeys((*domains, *wanted_sequences(table, target)))))
    except sa.exc.SQLAlchemyError as error:
        raise InvalidMetadata(f"Table {name} cannot be written as SQL: {error}") from error


def refuse_foreign(table: sa.Table, target: Target) -> list[sa.Constraint]:
    """The constraints of a table.

    Raises:
        InvalidMetadata: the table declares what this database does not have.
    """
    found = list(constraints.table_constraints(table))
    refuse(table, target.dialect, [one for one in found if constraints.is_created(one, target)])
    return found


def _columns(declared: Sequence[sa.Column[Any]], types: list[SpelledType], target: Target) -> tuple[Column, ...]:
    """The columns; their types are added to ``types``."""
    known = target.names.known
    spell, spelled_before = target.types, target.types.known
    found = []
    for column in declared:
        # As in fingerprint.py: the dictionary answers twice as fast as the attributes.
        says = column.__dict__
        type_ = says["type"]
        state = type_.__dict__
        try:
            spelled = spelled_before[type_.__class__, *state, *state.values()]
        except (KeyError, TypeError):
            spelled = spell(type_)
        types.append(spelled)
        name = known(says["name"]) or target.names.stored(column.name, f"a column of table {column.table.name}")
        if (
            says["server_default"] is None
            and says["default"] is None
            and not (says["primary_key"] or says["comment"] or says.get("info") or "dialect_options" in says)
        ):
            # Most columns say no more.
            found.append(Column(name, spelled.type, bool(says["nullable"]), native=column))
        else:
            found.append(_column(column, name, spelled.type, target))
    return tuple(found)


def _column(column: sa.Column[Any], name: str, type_: ColumnType, target: Target) -> Column:
    info = column.__dict__.get("info")
    comment = column.comment
    written = column.server_default is not None
    spelling = target.spelling
    generated = spelling.generated(column) if written or column.primary_key else None
    default, volatile, sql = None, False, None
    if written and generated is None:
        sql = target.text.server_default(column)
        if sql is not None:
            if (wrong := unsendable(sql)) is not None:
                raise InvalidMetadata(f"The default of column {column.table.name}.{name} {wrong}.")
            default, volatile = target.default(sql, type_)
    return Column(
        name=name,
        type=type_,
        nullable=is_nullable(column, generated, spelling),
        default=default,
        generated=generated,
        comment=(comment or None) if target.capabilities.comments else None,
        fill=_fill(column, type_, target) if default is None and generated is None else None,
        volatile_default=volatile,
        foreign_default=generated is None and is_fetched(column),
        options=spelling.column_options(column) if constraints.has_options(column) else (),
        renamed_from=_renamed_from(info, target, f"the former name of column {name}") if info else None,
        native=column,
        default_sql=None if sql == default else sql,
    )


def is_fetched(column: sa.Column[Any]) -> bool:
    """Whether the default is said to be the database's own business, a trigger's for instance."""
    default = column.server_default
    return default is not None and not isinstance(default, (sa.DefaultClause, sa.Computed, sa.Identity))


def is_nullable(column: sa.Column[Any], generated: Generated | None, spelling: Spelling) -> bool:
    """Whether the database lets NULL in: never into what it counts itself, and into a key on SQLite alone."""
    if not column.nullable or (generated is not None and generated.kind in {"serial", "identity"}):
        return False
    return not column.primary_key or spelling.key_takes_null(column)


def column_type(type_: sa.types.TypeEngine[Any], target: Target) -> ColumnType:
    """The canonical type, an enumeration of the session's own schema named without it."""
    return target.types(type_).type


def _fill(column: sa.Column[Any], type_: ColumnType, target: Target) -> str | None:
    known, value = constant_of(column)
    if not known:
        return None
    written = literal_of(value, column.type, target.text, target.spelling.binary)
    return None if written is None else target.spelling.default(written, type_)


def _primary_key(table: sa.Table, target: Target) -> PrimaryKey | None:
    key = table.primary_key
    if not len(key):
        return None
    # The order in which DDL names them: an implicit key puts the column that counts first.
    columns = key.columns_autoinc_first if key._implicit_generated else key.columns  # noqa: SLF001
    what = f"a key column of table {table.name}"
    names = tuple([target.names.stored(column.name, what) for column in columns])
    name = target.text.constraint_name(key)
    return PrimaryKey(
        names,
        None if name is None else target.names.stored(name, f"the primary key of table {table.name}"),
        constraints.constraint_options(key, target),
        native=key,
        comment=constraints.constraint_comment(key, target),
    )


def _renamed_from(info: dict[Any, Any] | None, target: Target, what: str) -> str | None:
    former = info.get(RENAMED_KEY) if info else None
    return None if former is None else target.names.stored(former, what)


def _enums(table: TableName, types: Iterable[SpelledType]) -> tuple[EnumType, ...]:
    found: dict[TableName, EnumType] = {}
    for enums in [spelled.enums for spelled in types if spelled.enums]:
        for enum in enums:
            known = found.setdefault(enum.name, enum)
            if known.values != enum.values:
                raise InvalidMetadata(
                    f"The enumeration {enum.name} is declared twice in table {table} with different values."
                )
    return tuple(found.values())


def _check_names(
    name: object,
    indexes: tuple[constraints.Index, ...],
    uniques: tuple[constraints.Unique, ...],
    checks: tuple[constraints.Check, ...],
    foreign_keys: tuple[constraints.ForeignKey, ...],
    target: Target,
) -> None:
    target.names.distinct([index.name for index in indexes], f"indexes of table {name}")
    named: tuple[constraints.Unique | constraints.Check | constraints.ForeignKey, ...] = (
        *uniques,
        *checks,
        *foreign_keys,
    )
    target.names.distinct([item.name for item in named if item.name is not None], f"constraints of table {name}")
