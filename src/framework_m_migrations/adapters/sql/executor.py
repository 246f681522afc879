"""Additive changes, sent one way only: through a guard that rejects every destructive statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.ddl import DdlWriter
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.errors import shortened, translated
from framework_m_migrations.adapters.sql.gathering import options
from framework_m_migrations.adapters.sql.guard import refuse_destruction
from framework_m_migrations.adapters.sql.names import unsendable
from framework_m_migrations.adapters.sql.trial import TRIAL, Try, rejected, renamed
from framework_m_migrations.domain.errors import InvalidMetadata, MigrationError
from framework_m_migrations.domain.filling import Batch
from framework_m_migrations.domain.operations import AdditiveOperation, CreateTable, Defining, FillColumn, Operation
from framework_m_migrations.domain.plan import DefinitionEdit, LockLevel
from framework_m_migrations.domain.schema import TableName


class SqlExecutor:
    """Applies additive operations on one connection. Implements ports.executor.Executor.

    Args:
        connection: statements run in whatever transaction the caller has set up on it.
        sql_dialect: its dialect.
        schema: the session's schema, None for the connection's default.
    """

    def __init__(self, connection: sa.Connection, sql_dialect: SqlDialect, *, schema: str | None = None) -> None:
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._schema = schema
        self._writer = DdlWriter(connection, sql_dialect, schema=schema)

    def apply(self, *operations: AdditiveOperation) -> tuple[str, ...]:
        """Carry out operations; see the port.

        Raises:
            DatabaseError: or a kind of it; see SqlDialect.translate.
            DropRefused: a statement would destroy something; it was not sent.
        """
        sent: list[str] = []
        for operation in self._sql_dialect.merged(operations):
            for sql in self.render(operation):
                self.send(sql)
                sent.append(sql)
        return tuple(sent)

    def render(self, *operations: Operation) -> tuple[str, ...]:
        """The statements of operations in a row, exactly as ``apply``, a pruner or a revision sends them."""
        merged = self._sql_dialect.merged(operations)
        alone = [self._writer.statements(operation) for operation in merged]
        if not all(isinstance(operation, AdditiveOperation) for operation in operations):
            return tuple(sql for statements in alone for sql in statements)
        with self._sql_dialect.rehearsed(merged, self._connection, schema=self._schema) as copy:
            if copy is not None:
                # What cannot be played in a copy is shown as it would be written now.
                with suppress(MigrationError, sa.exc.SQLAlchemyError):
                    alone = self._played(merged, copy)
        return tuple(sql for statements in alone for sql in statements)

    def edits(self, *operations: Operation) -> tuple[DefinitionEdit, ...]:
        """See the port: played on a copy."""
        merged = self._sql_dialect.merged(operations)
        with suppress(MigrationError, sa.exc.SQLAlchemyError):
            return self._sql_dialect.edits(merged, self._connection, partial(self._played, merged), schema=self._schema)
        return ()

    def _played(self, operations: Sequence[Any], copy: sa.Connection) -> list[tuple[str, ...]]:
        writer = DdlWriter(copy, self._sql_dialect, schema=self._schema)
        found: list[tuple[str, ...]] = []
        for operation in operations:
            found.append(writer.statements(operation))
            for sql in found[-1]:
                copy.exec_driver_sql(sql, execution_options={"no_parameters": True}).close()
        return found

    def fill(self, operation: FillColumn, after: str | None) -> Batch:
        """The next batch; see the port.

        Raises:
            DatabaseError: or a kind of it; see SqlDialect.translate.
            DropRefused: the default says something that would destroy; nothing was sent.
        """
        statements = self._sql_dialect.batch(operation, after, schema=self._schema)
        if not statements:
            self.apply(operation)
            return Batch(0, 0, None)
        *before, sql = statements
        for statement in before:
            self.send(statement)
        self._refuse(sql, fills=True)
        with translated(self._sql_dialect.translate, sql):
            row = self._connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()
        return Batch(int(row[0]), int(row[1]), row[2])

    def rejected(self, tries: Sequence[Sequence[Defining]], *, unsure: bool) -> Mapping[Defining, str]:
        """See the port: as temporary tables."""
        trial = self._sql_dialect.trial
        if trial is None or not tries:
            return {}
        asked: list[list[Try]] = []
        for number, operations in enumerate(tries):
            name, table = f"{TRIAL}{number if trial.together else ''}", operations[0].table
            text = self._writer.text
            asked.append(
                []
                if isinstance(operations[0], CreateTable)
                else [Try(None, (trial.like.format(name=name, table=text.table(table)),))]
            )
            for place, operation in enumerate(operations):
                with suppress(MigrationError, sa.exc.SQLAlchemyError):
                    said = [renamed(sql, table, name, place, text) for sql in self._writer.statements(operation)]
                    asked[-1].append(Try(operation, tuple(sql for sql in said if sql is not None)))
        return dict(rejected(self._connection, trial, asked, unsure=unsure))

    def lock_levels(self, operation: AdditiveOperation) -> tuple[tuple[TableName, LockLevel], ...]:
        """Locks on tables that exist before the operation."""
        return self._sql_dialect.lock_levels(operation)

    def send(self, sql: str) -> None:
        """The only way to the database: refuse what destroys, then send the text as it is, without parameters."""
        self._refuse(sql)
        _send(self._connection, self._sql_dialect, sql)

    def _refuse(self, sql: str, *, fills: bool = False) -> None:
        refuse_unsendable(sql)
        refuse_destruction(sql, self._sql_dialect.lexical(self._connection.dialect), fills=fills)


def send_text(connection: sa.Connection, sql_dialect: SqlDialect, sql: str) -> None:
    """Send literal SQL to the driver, perhaps with what comes after it, and translate what it raises.

    Without a parameter set no driver looks for placeholders in the text, so that a percent sign is a percent sign.

    Raises:
        InvalidMetadata: it holds a NUL, at which a driver would end it, or half a character; it was not sent.
        DatabaseError: or a kind of it; see SqlDialect.translate.
    """
    refuse_unsendable(sql)
    _send(connection, sql_dialect, sql)


def _send(connection: sa.Connection, sql_dialect: SqlDialect, sql: str) -> None:
    with translated(sql_dialect.translate, sql):
        connection.exec_driver_sql(sql, execution_options=options(connection)).close()


def refuse_unsendable(sql: str) -> None:
    """Go on where a statement can be sent whole; raises InvalidMetadata."""
    wrong = unsendable(sql)
    if wrong is not None:
        raise InvalidMetadata(f"A statement {wrong}, so that it was not sent: {shortened(sql)!a}.")
