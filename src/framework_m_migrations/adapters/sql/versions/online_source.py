"""Calls of ``framework_m_migrations.online`` as source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.versions.naming import constraint_name
from framework_m_migrations.adapters.sql.versions.pieces import Source
from framework_m_migrations.adapters.sql.versions.python_source import escape_binds, string_literal
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, IndexKey, TableName, Unique

type Item = Index | Unique | Check | ForeignKey


@dataclass(slots=True)
class Halves:
    """What both halves of an online change do, and how each is taken back.

    ``expand_down`` and ``contract_down`` are collected in order of the changes and undone last change first.
    """

    expand_up: list[Source] = field(default_factory=list)
    expand_down: list[Source] = field(default_factory=list)
    contract_up: list[Source] = field(default_factory=list)
    contract_down: list[Source] = field(default_factory=list)
    first_down: list[Source] = field(default_factory=list)
    """What may refuse the downgrade of the first half, before any of it is done."""
    review: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Raw:
    """An argument that is source already."""

    code: str


type Argument = str | int | bool | Raw | Sequence[str] | None


def call(name: str, *arguments: Argument, table: TableName | None = None, **named: Argument) -> Source:
    """``online.name(...)``; named arguments that are None or empty are left out."""
    return Source(call_text(name, *arguments, table=table, **named))


def call_text(name: str, *arguments: Argument, table: TableName | None = None, **named: Argument) -> str:
    """As ``call``; ``table`` gives the schema, where it has one."""
    parts = [_argument(argument) for argument in arguments]
    given: Mapping[str, Argument] = named | {"schema": None if table is None else table.schema}
    parts += [f"{key}={_argument(value)}" for key, value in given.items() if value is not None and value != ()]
    return f"online.{name}({', '.join(parts)})"


def _argument(value: Argument) -> str:
    if isinstance(value, Raw):
        return value.code
    if isinstance(value, str):
        return string_literal(value)
    if value is None or isinstance(value, bool | int):
        return repr(value)
    return f"[{', '.join(string_literal(one) for one in value)}]"


def mapping(entries: Mapping[str, str]) -> Raw:
    """A dictionary."""
    return Raw(
        "{" + ", ".join(f"{string_literal(key)}: {string_literal(value)}" for key, value in entries.items()) + "}"
    )


def under(condition: str, calls: Sequence[Source]) -> Source:
    """Calls that are made only where a condition holds."""
    return Source("\n".join([f"if {condition}:", *(f"    {one.code}" for one in calls)]))


def create(table: TableName, item: Item, name: str | None = None) -> Source:
    """The call that adds an index or constraint, under ``name`` where one is given."""
    called = name or item_name(table, item)
    match item:
        case Index():
            return _index(table, item, called)
        case Unique():
            return call("add_unique", called, table.name, item.columns, table=table)
        case Check():
            return call("add_check", called, table.name, item.expression, table=table)
        case ForeignKey():
            options = dict(item.options)
            return call(
                "add_foreign_key",
                called,
                table.name,
                item.target.name,
                item.columns,
                item.target_columns,
                onupdate=item.on_update,
                ondelete=item.on_delete,
                deferrable=_option(options.get("deferrable")),
                initially=options.get("initially"),
                match=options.get("match"),
                source_schema=table.schema,
                referent_schema=item.target.schema,
            )


def drop(table: TableName, item: Item, name: str | None = None) -> Source:
    """The call that drops an index or constraint; nothing happens where there is none."""
    called = name or item_name(table, item)
    if isinstance(item, Index):
        return call("drop_index_concurrently", called, table.name, table=table)
    kinds = {Unique: "unique", Check: "check", ForeignKey: "foreignkey"}
    return call("drop_constraint", called, table.name, type_=kinds[type(item)], table=table)


def item_name(table: TableName, item: Item) -> str:
    """The item's own name, or the one that a revision gives it."""
    return item.name if isinstance(item, Index) else constraint_name(table, item)


def _option(value: str | None) -> bool | None:
    return None if value is None else value == "true"


def _index(table: TableName, index: Index, name: str) -> Source:
    keys = Raw(f"[{', '.join(_key(key) for key in index.keys)}]")
    where = None if index.where is None else Raw(f"sa.text({string_literal(escape_binds(index.where))})")
    return call(
        "create_index_concurrently",
        name,
        table.name,
        keys,
        unique=True if index.unique else None,
        postgresql_using=index.method,
        postgresql_include=index.include,
        postgresql_where=where,
        postgresql_nulls_not_distinct=_option(dict(index.options).get("nulls_not_distinct")),
        table=table,
    )


def _key(key: IndexKey) -> str:
    if key.column is not None and not key.modifiers:
        return string_literal(key.column)
    body = written(key.column) if key.column is not None else f"({key.expression})"
    return f"sa.text({string_literal(escape_binds(f'{body} {key.modifiers}'.rstrip()))})"
