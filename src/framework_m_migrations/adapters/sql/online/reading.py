"""What a helper's arguments and the table that it is to change come to in the engine's own terms."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.postgresql.trial import Trial, answers
from framework_m_migrations.adapters.sql.online.sending import Sender
from framework_m_migrations.adapters.sql.wanted import Target
from framework_m_migrations.domain.errors import RevisionError
from framework_m_migrations.domain.lowering import Lowering
from framework_m_migrations.domain.schema import Check, Index, Table, TableName


def target_of(sender: Sender) -> Target:
    """Spells SQLAlchemy's objects for the database."""
    return Target.of(sender.dialect, sender.sql_dialect)


def lowering_of(sender: Sender) -> Lowering:
    """The engine's rules for a table that is in use."""
    return Lowering(sender.sql_dialect.capabilities(sender.dialect), online=True)


def table_name(target: Target, name: str, schema: str | None) -> TableName:
    """The name of a table."""
    return target.names.table(name, schema)


def read_table(sender: Sender, name: TableName) -> Table:
    """The table as the database has it.

    Raises:
        RevisionError: there is none.
    """
    found = CatalogReader(sender.connection).read([name]).tables
    if name.schema is not None and name not in found:
        # In the connection's own schema tables go without its name.
        found = CatalogReader(sender.connection, name.schema).read([TableName(name.name)]).tables
        name_there = TableName(name.name)
        if name_there in found:
            return found[name_there]
    if name not in found:
        raise RevisionError(
            f"There is no table {name}.",
            next_step="Create it in an earlier revision, or correct the name.",
            details={"table": str(name)},
        )
    return found[name]


def as_stored(sender: Sender, table: Table, *, index: Index | None = None, check: Check | None = None) -> Any:
    """The index or check as the database itself would print it, tried on an empty copy; None where it refuses it."""
    trial = Trial(table, (), () if check is None else (check,), () if index is None else (index,))
    answer = answers(CatalogReader(sender.connection), [trial])[0]
    if index is not None:
        return answer.indexes.get(index.name)
    return answer.checks.get(0)


def clause_sql(target: Target, clause: str | sa.ColumnElement[bool] | sa.TextClause) -> str:
    """A condition as SQL; a plain string is SQL already."""
    return clause.strip() if isinstance(clause, str) else target.text.expression(clause)


def differs(kind: str, name: str, table: TableName) -> RevisionError:
    """The error where something else has the name already."""
    return RevisionError(
        f"Table {table} has another {kind} {name} already.",
        next_step=f"Drop it first, or give the new {kind} another name.",
        details={"table": str(table), "name": name},
    )
