"""A schema as the adapters want it declared: SQLAlchemy MetaData, and DocTypes of the memory adapter."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.domain import schema as d
from tests.fakes.memory import memory_type
from tests.fakes.memory.types import enum_type
from tests.histories import model as m
from tests.histories.choices import ENUM
from tests.histories.kinds import KINDS


def metadata_of(schema: m.Schema, *, stored: bool, quoted: bool = False) -> sa.MetaData:
    """The schema for SQLAlchemy.

    Args:
        schema: what is wanted.
        stored: computed columns are; PostgreSQL had no others before 18, SQLite cannot add them to a table.
        quoted: names of enumerations are always quoted; SQLAlchemy does not know by itself where that is needed.
    """
    metadata = sa.MetaData()
    for table in schema.tables:
        columns: list[sa.Column[Any]] = [sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)]
        columns += [_column(schema, field, stored, quoted) for field in table.fields]
        info = {"renamed_from": table.was} if table.was else {}
        sa.Table(table.name, metadata, *columns, info=info, comment=table.comment)
    for table in schema.tables:
        _constrain(metadata, table)
    return metadata


def _column(schema: m.Schema, field: m.Field, stored: bool, quoted: bool) -> sa.Column[Any]:
    type_: sa.types.TypeEngine[Any]
    if field.kind.startswith(ENUM):
        name = field.kind.removeprefix(ENUM)
        type_ = sa.Enum(*schema.enums[name], name=sa.quoted_name(name, True if quoted else None), length=20)
    else:
        type_ = KINDS[field.kind].type
    computed: list[sa.Computed] = []
    if field.computed is not None:
        computed.append(sa.Computed(sa.column(field.computed, sa.Integer) + sa.literal_column("1"), persisted=stored))
    return sa.Column(
        field.name,
        type_,
        *computed,
        nullable=not field.required,
        default=field.default if field.in_code else None,
        server_default=None if field.default is None or field.in_code else _written(field.default),
        info={"renamed_from": field.was} if field.was else {},
        comment=field.comment,
    )


def _written(default: object) -> str | sa.TextClause:
    """A server default; strings are quoted by SQLAlchemy itself."""
    match default:
        case bool():
            return sa.text("true" if default else "false")
        case int() | float():
            return sa.text(str(default))
        case dict():
            return json.dumps(default)
        case _:
            return str(default)


def _constrain(metadata: sa.MetaData, table: m.Table) -> None:
    here = metadata.tables[table.name]
    for key in table.keys:
        columns = [here.c[name] for name in key.fields]
        if key.index:
            where = None if key.where is None else here.c[key.where].is_not(None)
            keys = [sa.func.lower(one) for one in columns] if key.lower else columns
            sa.Index(key.name, *keys, unique=key.unique, sqlite_where=where, postgresql_where=where)
        else:
            here.append_constraint(sa.UniqueConstraint(*columns, name=key.name))
    for rule in table.rules:
        here.append_constraint(sa.CheckConstraint(here.c[rule.field] > rule.least, name=rule.name))
    for one in table.references:
        target = metadata.tables[one.target].c.id
        here.append_constraint(sa.ForeignKeyConstraint([one.field], [target], name=one.name, ondelete=one.on_delete))


def doctypes_of(schema: m.Schema) -> tuple[d.DocTypeSchema, ...]:
    """The schema for the memory adapter."""
    return tuple(
        d.DocTypeSchema(table.name, (_memory_table(table),), tuple(_memory_enums(schema, table)))
        for table in schema.tables
    )


def _memory_enums(schema: m.Schema, table: m.Table) -> list[d.EnumType]:
    names = dict.fromkeys(one.kind.removeprefix(ENUM) for one in table.fields if one.kind.startswith(ENUM))
    return [d.EnumType(d.TableName(name), schema.enums[name]) for name in names]


def _memory_table(table: m.Table) -> d.Table:
    return d.Table(
        d.TableName(table.name),
        (d.Column("id", memory_type("integer"), nullable=False), *map(_memory_column, table.fields)),
        d.PrimaryKey(("id",)),
        indexes=tuple(
            d.Index(
                str(key.name),
                tuple(
                    d.IndexKey(None, f"lower({_name(name)})") if key.lower else d.IndexKey(name) for name in key.fields
                ),
                unique=key.unique,
                where=None if key.where is None else f"{_name(key.where)} IS NOT NULL",
            )
            for key in table.keys
            if key.index
        ),
        uniques=tuple(d.Unique(key.name, key.fields) for key in table.keys if not key.index),
        checks=tuple(d.Check(rule.name, f"{_name(rule.field)} > {rule.least}") for rule in table.rules),
        foreign_keys=tuple(
            d.ForeignKey(one.name, (one.field,), d.TableName(one.target), ("id",), one.on_delete)
            for one in table.references
        ),
        comment=table.comment,
        renamed_from=table.was,
    )


def _memory_column(field: m.Field) -> d.Column:
    if field.kind.startswith(ENUM):
        type_ = enum_type(d.TableName(field.kind.removeprefix(ENUM)))
    else:
        type_ = memory_type(KINDS[field.kind].memory)
    literal = None if field.default is None else _literal(field.default)
    return d.Column(
        field.name,
        type_,
        nullable=not field.required,
        default=None if field.in_code else literal,
        fill=literal if field.in_code else None,
        generated=None if field.computed is None else d.Generated("computed", f"{_name(field.computed)} + 1"),
        comment=field.comment,
        renamed_from=field.was,
    )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(default: object) -> str:
    match default:
        case bool():
            return "TRUE" if default else "FALSE"
        case int() | float() | Decimal():
            return str(default)
        case dict():
            return _quoted(json.dumps(default))
        case _:
            return _quoted(str(default))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
