"""What a column needs beside its table: the sequence that it counts with, the domain that it is of.

Both are made before the column, unless they are there already, and have no row in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.dialects.postgresql.named_types import CreateDomainType, DropDomainType

from framework_m_migrations.adapters.sql.sqltext import SqlText

type Beside = sa.Sequence | DOMAIN


def beside(column: object, dialect: sa.Dialect) -> Iterator[Beside]:
    """The sequences and domains that a column needs.

    Args:
        column: a SQLAlchemy column; nothing is known of any other object.
        dialect: the connection's.
    """
    if not isinstance(column, sa.Column):
        return
    if dialect.supports_sequences:
        found: list[Any] = [column.default, getattr(getattr(column.server_default, "arg", None), "sequence", None)]
        for sequence in found:
            optional = getattr(dialect, "sequences_optional", False)
            if isinstance(sequence, sa.Sequence) and not (sequence.optional and optional):
                yield sequence
    type_: Any = column.type.dialect_impl(dialect)
    while isinstance(type_, sa.types.TypeDecorator | sa.ARRAY):
        inner = type_.item_type if isinstance(type_, sa.ARRAY) else type_.impl_instance
        type_ = inner.dialect_impl(dialect)
    if isinstance(type_, DOMAIN) and type_.create_type:
        yield type_


def created(item: Beside, text: SqlText) -> str:
    """The statement that makes it, and does nothing where it is there."""
    if isinstance(item, sa.Sequence):
        return text.statement(sa.schema.CreateSequence(item, if_not_exists=True))
    made = text.statement(CreateDomainType(item))
    # CREATE DOMAIN has no IF NOT EXISTS.
    return f"DO $domain$ BEGIN {made}; EXCEPTION WHEN duplicate_object THEN NULL; END $domain$"


def dropped(columns: Iterable[object], connection: sa.Connection, text: SqlText) -> tuple[str, ...]:
    """The statements that take away what does not exist yet and is made for these columns, each once.

    Args:
        columns: SQLAlchemy columns that are about to be created.
        connection: to look at what there is.
        text: writes for its dialect.
    """
    dialect: Any = connection.dialect
    statements: dict[str, None] = {}
    for column in columns:
        for item in beside(column, dialect):
            if isinstance(item, sa.Sequence):
                if not dialect.has_sequence(connection, item.name, schema=item.schema):
                    statements.setdefault(text.statement(sa.schema.DropSequence(item)))
            elif not dialect.has_type(connection, item.name, schema=item.schema):
                statements.setdefault(text.statement(DropDomainType(item)))
    return tuple(statements)
