"""What tables need beside them.

Sequences, domains, schemas and enumerations, their options and their statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.dialects.postgresql.named_types import CreateDomainType

from framework_m_migrations.adapters.sql.defined import LIBRARY, Defined
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    SchemaObject,
    Table,
    TableName,
    Unique,
)

if TYPE_CHECKING:
    from framework_m_migrations.adapters.sql.desired.tables import Target


_WORDS = {"increment": "INCREMENT BY", "cache": "CACHE", "start": "START WITH"}
_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def sequence_options(
    base: str,
    *,
    start: int | None,
    increment: int,
    minimum: int | None,
    maximum: int | None,
    cycle: bool,
    cache: int,
) -> tuple[tuple[str, str], ...]:
    """Canonical (name, value) pairs, sorted; None means the default of the type ``base``.

    The defaults are those of CREATE SEQUENCE: from 1 upwards, or from -1 downwards, to the limits of the type.
    """
    limit = _LIMITS.get(base, 2**63)
    up = increment > 0
    default_minimum, default_maximum = (1, limit - 1) if up else (-limit, -1)
    low = default_minimum if minimum is None else minimum
    high = default_maximum if maximum is None else maximum
    begin = (low if up else high) if start is None else start
    options: dict[str, str] = {}
    # What CREATE SEQUENCE takes, if nothing is said.
    if begin != (low if up else high):
        options["start"] = str(begin)
    if increment != 1:
        options["increment"] = str(increment)
    if low != default_minimum:
        options["minvalue"] = str(low)
    if high != default_maximum:
        options["maxvalue"] = str(high)
    if cycle:
        options["cycle"] = "true"
    if cache != 1:
        options["cache"] = str(cache)
    return tuple(sorted(options.items()))


def declared_sequence_options(declared: sa.Identity | sa.Sequence, base: str) -> tuple[tuple[str, str], ...]:
    """The options that a wanted identity column or sequence asks for."""
    return sequence_options(
        base,
        start=declared.start,
        increment=1 if declared.increment is None else declared.increment,
        minimum=None if declared.nominvalue else declared.minvalue,
        maximum=None if declared.nomaxvalue else declared.maxvalue,
        cycle=bool(declared.cycle),
        cache=1 if declared.cache is None else declared.cache,
    )


def option_clause(name: str, options: dict[str, str]) -> str:
    """One option of a sequence, its default where it is not among ``options``."""
    value = options.get(name)
    if name == "cycle":
        return "CYCLE" if value == "true" else "NO CYCLE"
    if name in {"minvalue", "maxvalue"}:
        return f"NO {name.upper()}" if value is None else f"{name.upper()} {value}"
    if value is None:
        down = options.get("increment", "1").startswith("-")
        first = options.get("maxvalue", "-1") if down else options.get("minvalue", "1")
        value = first if name == "start" else "1"
    return f"{_WORDS[name]} {value}"


def identity_sql(generated: Generated) -> str:
    """``GENERATED ... AS IDENTITY`` with its options."""
    options = dict(generated.options)
    listed = [option_clause(name, options) for name in sorted(options)]
    clause = f"GENERATED {'ALWAYS' if generated.always else 'BY DEFAULT'} AS IDENTITY"
    return f"{clause} ({' '.join(listed)})" if listed else clause


def sequence_clauses(before: dict[str, str] | None, has: dict[str, str]) -> list[str]:
    """The clauses that turn the one set of options into the other; without a sequence before, of CREATE SEQUENCE."""
    had = before or {}
    turned = had.get("increment", "1").startswith("-") is not has.get("increment", "1").startswith("-")
    # The server keeps the limits of the former direction, between which the sequence stands.
    bounds = {"minvalue", "maxvalue", "start"} if turned and before is not None else set()
    names = ("increment", "minvalue", "maxvalue", "start", "cache", "cycle")

    def differs(name: str) -> bool:
        return option_clause(name, had) != option_clause(name, has)

    typed = [] if had.get("as") == has.get("as") else [f"AS {has.get('as', 'bigint')}"]
    clauses = [option_clause(name, has) for name in names if name in bounds or differs(name)]
    return [*typed, *clauses, *(["RESTART"] if bounds else [])]


def domain_clauses(options: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """The type of a domain and what follows it; ``quote`` writes a name."""
    parts = [options["type"]]
    parts += [f"DEFAULT {options['default']}"] if "default" in options else []
    parts += ["NOT NULL"] if "not_null" in options else []
    for name, check in options.items():
        if name.startswith("check."):
            parts.append(f"CONSTRAINT {quote(name.removeprefix('check.'))} CHECK ({check})")
    return " ".join(parts)


# Pieces of DDL written from domain values alone, for what no SQLAlchemy object came along with.
#
# Types, defaults and expressions are the dialect's canonical SQL already and are written as they stand.


def column_list(text: SqlText, names: Sequence[str]) -> str:
    """``(a, b)``."""
    return f"({', '.join(text.quote(name) for name in names)})"


def column(text: SqlText, item: Column, *, default: str | None = None) -> str:
    """A column with its type, its default (``default`` where it has none), what generates it, and NOT NULL."""
    parts = [text.quote(item.name), item.type.spelling]
    value = item.default if item.default is not None else default
    if item.generated is not None:
        parts.append(generated_sql(item.generated))
    elif value is not None:
        parts.append(f"DEFAULT {default_value(value)}")
    if not item.nullable:
        parts.append("NOT NULL")
    return " ".join(part for part in parts if part)


def default_value(sql: str) -> str:
    """A default in a form that every dialect takes: an expression in parentheses, a plain literal bare."""
    sql = sql.strip()
    bare = sql.replace("_", "").replace(".", "").lstrip("+-").isalnum() or (sql[:1] == sql[-1:] == "'")
    return sql if bare or sql.startswith("(") else f"({sql})"


def generated_sql(generated: Generated) -> str:
    """What fills a column; empty for a sequence, which is its default's."""
    if generated.kind == "computed":
        return f"GENERATED ALWAYS AS ({generated.expression}) {'STORED' if generated.stored else 'VIRTUAL'}"
    if generated.kind == "identity":
        return identity_sql(generated)
    return ""


def primary_key(text: SqlText, item: PrimaryKey) -> str:
    """A primary key as part of CREATE TABLE."""
    key = f"{_named(text, item.name)}PRIMARY KEY {column_list(text, item.columns)}"
    return f"{key}{_included(text, item)}{_deferred(item)}"


def unique(text: SqlText, item: Unique) -> str:
    """A unique constraint."""
    distinct = "NULLS NOT DISTINCT " if ("nulls_not_distinct", "true") in item.options else ""
    unique_key = f"{_named(text, item.name)}UNIQUE {distinct}{column_list(text, item.columns)}"
    return f"{unique_key}{_included(text, item)}{_deferred(item)}"


def _included(text: SqlText, item: PrimaryKey | Unique) -> str:
    include = dict(item.options).get("include")
    return "" if include is None else f" INCLUDE {column_list(text, include.split(', '))}"


def check(text: SqlText, item: Check) -> str:
    """A check or exclusion constraint."""
    clause = item.expression if item.exclusion else f"CHECK ({item.expression})"
    return f"{_named(text, item.name)}{clause}{' NO INHERIT' if item.options else ''}"


def foreign_key(text: SqlText, item: ForeignKey) -> str:
    """A foreign key with its actions."""
    parts = [
        f"{_named(text, item.name)}FOREIGN KEY {column_list(text, item.columns)}",
        f"REFERENCES {text.table(item.target)} {column_list(text, item.target_columns)}",
    ]
    match = dict(item.options).get("match")
    if match is not None:
        parts.append(f"MATCH {match}")
    if item.on_delete is not None:
        parts.append(f"ON DELETE {item.on_delete}")
    if item.on_update is not None:
        parts.append(f"ON UPDATE {item.on_update}")
    return " ".join(parts) + _deferred(item)


def _deferred(item: PrimaryKey | Unique | ForeignKey) -> str:
    options = dict(item.options)
    deferrable = " DEFERRABLE" if options.get("deferrable") == "true" else ""
    return deferrable + (f" INITIALLY {options['initially']}" if "initially" in options else "")


def _named(text: SqlText, name: str | None) -> str:
    return "" if name is None else f"CONSTRAINT {text.quote(name)} "


def index_key(text: SqlText, key: IndexKey) -> str:
    """One key of an index."""
    body = text.quote(key.column) if key.column is not None else f"({key.expression})"
    return f"{body} {key.modifiers}".rstrip()


def create_index(text: SqlText, table: str, item: Index) -> str:
    """CREATE INDEX; ``table`` is the table's name as it is to be written."""
    parts = ["CREATE UNIQUE INDEX" if item.unique else "CREATE INDEX", text.quote(item.name), "ON", table]
    if item.method is not None:
        parts.append(f"USING {item.method}")
    parts.append(f"({', '.join(index_key(text, key) for key in item.keys)})")
    if item.include:
        parts.append(f"INCLUDE {column_list(text, item.include)}")
    if item.where is not None:
        parts.append(f"WHERE {item.where}")
    return " ".join(parts)


def create_table(text: SqlText, item: Table, foreign_keys: Sequence[ForeignKey]) -> str:
    """CREATE TABLE with its constraints, and of its foreign keys those given; indexes and comments are apart."""
    lines = [column(text, entry) for entry in item.columns]
    if item.primary_key is not None:
        lines.append(primary_key(text, item.primary_key))
    lines += [unique(text, entry) for entry in item.uniques]
    lines += [check(text, entry) for entry in item.checks]
    lines += [foreign_key(text, entry) for entry in foreign_keys]
    body = ",\n\t".join(lines)
    return f"CREATE TABLE {text.table(item.name)} (\n\t{body}\n)"


# What tables need beside them: sequences, domains, schemas, and enumerations that no column uses.
#
# Here is what SQLAlchemy's objects want, and the statements that create, change and drop such objects.


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


def created(item: SchemaObject, text: SqlText, *, idempotent: bool = False) -> str:
    """The statement that creates an object: as it is declared, where it is.

    With ``idempotent`` one that is there already is left as it is.
    """
    options, absent = dict(item.options), "IF NOT EXISTS " if idempotent else ""
    match item.kind:
        case "schema":
            return f"CREATE SCHEMA IF NOT EXISTS {text.quote(item.name.name)}"
        case "sequence" if isinstance(item.native, sa.Sequence):
            return text.statement(sa.schema.CreateSequence(item.native, if_not_exists=idempotent))
        case "sequence":
            clauses = " ".join(sequence_clauses(None, options))
            return f"CREATE SEQUENCE {absent}{text.table(item.name)} {clauses}".rstrip()
        case _ if isinstance(item.native, DOMAIN):
            made = text.statement(CreateDomainType(item.native))
        case _:
            made = f"CREATE DOMAIN {text.table(item.name)} AS {domain_clauses(options, text.quote)}"
    # It has no IF NOT EXISTS.
    unless = "EXCEPTION WHEN duplicate_object THEN NULL"
    return f"DO $m_migrate$BEGIN {made}; {unless}; END$m_migrate$" if idempotent else made


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


def dropped(item: SchemaObject, text: SqlText, *, idempotent: bool = False) -> str:
    """The statement that drops an object that nothing uses; with ``idempotent`` one that may be gone."""
    name = text.quote(item.name.name) if item.kind == "schema" else text.table(item.name)
    return f"DROP {item.kind.upper()} {'IF EXISTS ' if idempotent else ''}{name}"
