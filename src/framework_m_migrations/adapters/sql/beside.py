"""What tables need beside them: sequences, domains, schemas, and enumerations that no column uses.

Here is what SQLAlchemy's objects want, and the statements that create, change and drop such objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.dialects.postgresql.named_types import CreateDomainType

from framework_m_migrations.adapters.sql.defined import LIBRARY, Defined
from framework_m_migrations.adapters.sql.object_options import (
    declared_sequence_options,
    domain_clauses,
    sequence_clauses,
)
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.schema import SchemaObject, TableName

if TYPE_CHECKING:
    from framework_m_migrations.adapters.sql.wanted import Target

type Declared = sa.Sequence | sa.Enum | DOMAIN | sa.schema.CreateSchema | Defined
"""What a MetaData declares beside its tables."""


def sequences_of(column: sa.Column[Any], dialect: sa.Dialect) -> Iterator[sa.Sequence]:
    """The sequences that a column draws from, but for the one that it owns."""
    if dialect.supports_sequences:
        found: list[Any] = [column.default, getattr(getattr(column.server_default, "arg", None), "sequence", None)]
        for sequence in found:
            optional = getattr(dialect, "sequences_optional", False)
            if isinstance(sequence, sa.Sequence) and not (sequence.optional and optional):
                yield sequence


def domain_of(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> DOMAIN | None:
    """The domain that a type is, or that an array is made of."""
    impl: Any = type_.dialect_impl(dialect)
    while isinstance(impl, sa.types.TypeDecorator | sa.ARRAY):
        inner = impl.item_type if isinstance(impl, sa.ARRAY) else impl.impl_instance
        impl = inner.dialect_impl(dialect)
    return impl if isinstance(impl, DOMAIN) and impl.create_type else None


def alone(metadata: sa.MetaData) -> Iterator[sa.Sequence | sa.Enum | DOMAIN]:
    """The sequences and named types that the MetaData itself declares and no column of its tables uses."""
    used: set[object] = set()
    for table in metadata.tables.values():
        for column in table.columns:
            for sequence in (column.default, getattr(getattr(column.server_default, "arg", None), "sequence", None)):
                used.add(id(sequence))
            type_: Any = column.type
            used.add(getattr(getattr(type_, "item_type", type_), "name", None))
    yield from (one for one in metadata._sequences.values() if id(one) not in used)  # noqa: SLF001
    for listener in metadata.dispatch.before_create:
        owner = getattr(getattr(listener, "func", listener), "__self__", None)
        if isinstance(owner, sa.Enum | DOMAIN) and owner.name is not None and owner.name not in used:
            used.add(owner.name)
            yield owner


def wanted_sequence(sequence: sa.Sequence, target: Target) -> SchemaObject:
    """A sequence as a value."""
    name = target.names.table(sequence.name, sequence.schema)
    type_: Any = sequence.data_type
    base = "bigint" if type_ is None else target.spelling.column_type(type_).base
    own = () if base == "bigint" else (("as", base),)
    return SchemaObject("sequence", name, (*own, *declared_sequence_options(sequence, base)), sequence)


def wanted_domain(domain: DOMAIN, target: Target) -> SchemaObject:
    """A domain as a value. A check without a name has the one that the server gives it."""
    name = target.names.table(domain.name, domain.schema)
    type_ = target.spelling.column_type(domain.data_type)
    options = {"type": type_.spelling}
    if domain.collation is not None:
        options["type"] += f" COLLATE {target.text.quote(str(domain.collation))}"
    if domain.default is not None:
        default = target.spelling.default(target.text.ddl.render_default_string(domain.default), type_)
        options |= {} if default is None else {"default": default}
    if domain.not_null:
        options["not_null"] = "true"
    if domain.check is not None:
        # A name that is given beside NOT NULL is that of NOT NULL.
        called = None if domain.not_null else domain.constraint_name
        called = target.names.stored(str(called or f"{name.name}_check"), f"the check of domain {name}")
        options[f"check.{called}"] = target.spelling.expression(target.text.expression(domain.check))
    return SchemaObject("domain", name, tuple(sorted(options.items())), domain)


def wanted_sequences(table: sa.Table, target: Target) -> Iterator[SchemaObject]:
    """The sequences that the columns of a table draw from."""
    for column in table.columns:
        if column.default is not None or column.server_default is not None:
            yield from (wanted_sequence(sequence, target) for sequence in sequences_of(column, target.dialect))


def wanted_schemas(names: Iterable[TableName], target: Target) -> tuple[SchemaObject, ...]:
    """The schemas that tables, sequences and types are declared in, beside the session's own."""
    places = dict.fromkeys(name.schema for name in names if name.schema is not None)
    return tuple(SchemaObject("schema", TableName(place)) for place in places) if target.capabilities.schemas else ()


def listeners(target: sa.MetaData | sa.Table, dialect: str) -> Iterator[str]:
    """The application's own listeners to create_all and drop_all, one sentence each.

    Args:
        target: a table, or the MetaData.
        dialect: DDL for other dialects is left out.
    """
    what = "the MetaData" if isinstance(target, sa.MetaData) else f"table {target.name}"
    for event in ("before_create", "after_create", "before_drop", "after_drop"):
        for listener in getattr(target.dispatch, event):
            inner: Any = getattr(listener, "func", listener)
            # SQLAlchemy 2.0 wraps the method.
            if isinstance(getattr(inner, "__self__", getattr(inner, "target", None)), sa.types.SchemaType):
                continue  # SQLAlchemy's own, for named types.
            if (getattr(inner, "__module__", None) or "").partition(".")[0] == LIBRARY:
                continue  # What it would create is compared as declared.
            condition = getattr(inner, "_ddl_if", None)
            if condition is not None and dialect not in (condition.dialect or dialect):
                continue
            said = " ".join(str(inner).split())[:80] if isinstance(inner, sa.schema.ExecutableDDLElement) else ""
            named = said or getattr(inner, "__qualname__", type(inner).__name__)
            yield f"The listener {event} of {what} is not called, and what it creates is not managed: {named}"


def created(item: SchemaObject, text: SqlText) -> str:
    """The statement that creates an object: as it is declared, where it is."""
    options = dict(item.options)
    match item.kind:
        case "schema":
            return f"CREATE SCHEMA IF NOT EXISTS {text.quote(item.name.name)}"
        case "sequence" if isinstance(item.native, sa.Sequence):
            return text.statement(sa.schema.CreateSequence(item.native))
        case "sequence":
            clauses = " ".join(sequence_clauses(None, options))
            return f"CREATE SEQUENCE {text.table(item.name)} {clauses}".rstrip()
        case _ if isinstance(item.native, DOMAIN):
            return text.statement(CreateDomainType(item.native))
        case _:
            return f"CREATE DOMAIN {text.table(item.name)} AS {domain_clauses(options, text.quote)}"


def altered(before: SchemaObject, item: SchemaObject, text: SqlText) -> Iterator[str]:
    """The statements that give a sequence or domain other options."""
    had, has = dict(before.options), dict(item.options)
    if item.kind == "sequence":
        clauses = " ".join(sequence_clauses(had, has))
        if clauses:
            yield f"ALTER SEQUENCE {text.table(item.name)} {clauses}"
        return
    alter = f"ALTER DOMAIN {text.table(item.name)}"
    checks = [name for name in (*had, *has) if name.startswith("check.") and had.get(name) != has.get(name)]
    for name in dict.fromkeys(checks):
        if name in had:
            yield f"{alter} DROP CONSTRAINT {text.quote(name.removeprefix('check.'))}"
    if had.get("default") != has.get("default"):
        yield f"{alter} SET DEFAULT {has['default']}" if "default" in has else f"{alter} DROP DEFAULT"
    if had.get("not_null") != has.get("not_null"):
        yield f"{alter} {'SET' if 'not_null' in has else 'DROP'} NOT NULL"
    for name in dict.fromkeys(checks):
        if name in has:
            yield f"{alter} ADD CONSTRAINT {text.quote(name.removeprefix('check.'))} CHECK ({has[name]})"


def dropped(item: SchemaObject, text: SqlText) -> str:
    """The statement that drops an object that nothing uses."""
    name = text.quote(item.name.name) if item.kind == "schema" else text.table(item.name)
    return f"DROP {item.kind.upper()} {name}"
