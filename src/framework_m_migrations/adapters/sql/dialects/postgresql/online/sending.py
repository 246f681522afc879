"""How the statements of an online sequence are sent, and what a helper's arguments come to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.migration import MigrationContext

from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql.blockers import blockers_named, lateness_as_waiting
from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.postgresql.ddl import PostgresqlWriter
from framework_m_migrations.adapters.sql.dialects.postgresql.normalise import Trial, answers
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import BEGIN, is_pooled, set_limits, unlimited
from framework_m_migrations.adapters.sql.errors import translated
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.adapters.sql.revisions.surroundings import surroundings_of
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.effects import pauses
from framework_m_migrations.domain.errors import LockTimeout, RevisionError
from framework_m_migrations.domain.events import StatementRetried
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


# How the statements of an online sequence are sent: briefly under a lock timeout, or slowly under none.


class Sender:
    """Sends, or in offline mode prints, the statements of a helper.

    Args:
        context: Alembic's, outside a transaction.
    """

    def __init__(self, context: MigrationContext) -> None:
        self._context = context
        self.offline = bool(context.as_sql)
        self.dialect = context.dialect
        self.sql_dialect: SqlDialect = PostgresqlDialect()
        self._writer = PostgresqlWriter(context.dialect, None if self.offline else context.connection, idempotent=True)
        self.surroundings = surroundings_of(None if self.offline else context.connection)

    @property
    def connection(self) -> sa.Connection:
        """The connection; there is none in offline mode, in which nothing is read."""
        connection = self._context.connection
        if connection is None:
            raise RuntimeError("Nothing is read in offline mode.")
        return connection

    @property
    def state_schema(self) -> str | None:
        """The schema of Alembic's version table, in which the engine keeps its own tables too."""
        return self._context.version_table_schema

    def statements(self, *operations: o.Operation) -> tuple[str, ...]:
        """The writer's statements for operations, so that they can be sent again."""
        return tuple(sql for operation in operations for sql in self._writer.statements(operation))

    def perform(self, operations: Sequence[o.Operation]) -> None:
        """Carry out a sequence that ``domain.lowering`` made, each operation with the limits that it needs."""
        for operation in operations:
            for sql in self.statements(operation):
                if _is_slow(operation) and not sql.startswith("ALTER INDEX") and " ON ONLY " not in sql:
                    self.slow(sql)
                else:
                    self.short([sql])

    def slow(self, sql: str) -> None:
        """One statement outside any transaction, without a time limit; it must hold nobody up.

        Raises:
            DatabaseError: the database refused it.
        """
        if self.offline:
            self._print("SET lock_timeout = 0", "SET statement_timeout = 0", sql)
            self._print("RESET statement_timeout", "RESET lock_timeout")
            return
        is_pooled(self.connection)
        with unlimited(self.connection):
            self.send(sql)

    def short(self, statements: Sequence[str], *, brief: bool = True) -> None:
        """Some statements in one transaction, which waits for locks briefly and is then tried again.

        Args:
            statements: in order.
            brief: they take no time but for locks; one that needs several waits for all together no longer than for
                one.

        Raises:
            LockTimeout: the tries are used up.
            DatabaseError: the database refused one; none has had an effect.
        """
        if self.offline:
            limit = f"SET LOCAL lock_timeout = '{round(self.surroundings.locks.lock_timeout * 1000)}ms'"
            self._print("BEGIN", limit, *statements, "COMMIT")
            return

        def attempt() -> None:
            with self._transaction(brief=brief):
                for sql in statements:
                    self.send(sql)

        self._retried(attempt)

    def answered(self, sql: str) -> tuple[Any, ...]:
        """As ``short``, for one statement that gives exactly one row."""

        def attempt() -> tuple[Any, ...]:
            with self._transaction(brief=False):
                return self.rows(sql)[0]

        return self._retried(attempt)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with translated(self.sql_dialect.translate, sql):
            result = self.connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
            return [tuple(row) for row in result]

    def send(self, sql: str) -> None:
        """One statement as it stands, its errors translated."""
        send_text(self.connection, self.sql_dialect, sql)

    def pause(self, seconds: float) -> None:
        """Wait; under an asynchronous driver the event loop goes on meanwhile."""
        if seconds <= 0:
            return
        if self.connection.dialect.is_async:
            self.connection.exec_driver_sql(f"SELECT pg_catalog.pg_sleep({seconds:.3f})").close()
        else:
            time.sleep(seconds)

    def print(self, sql: str) -> None:
        """In offline mode: a statement of the script."""
        self._print(sql)

    @contextmanager
    def _transaction(self, *, brief: bool) -> Iterator[None]:
        """BEGIN and COMMIT as statements: to SQLAlchemy the connection is in AUTOCOMMIT."""
        connection, locks = self.connection, self.surroundings.locks
        brief = brief and (locks.statement_timeout or locks.lock_timeout) >= locks.lock_timeout
        self.send(BEGIN)
        try:
            set_limits(
                connection, lock=locks.lock_timeout, statement=locks.lock_timeout if brief else locks.statement_timeout
            )
            with lateness_as_waiting() if brief else contextlib.nullcontext():
                yield
                self.send("COMMIT")
        except BaseException:
            if not connection.invalidated and not connection.closed:
                self.send("ROLLBACK")
            raise

    def _retried[T](self, attempt: Callable[[], T]) -> T:
        surroundings = self.surroundings
        waits = pauses(surroundings.locks, surroundings.clock.jitter)
        tried = 0
        with blockers_named(self.connection):
            while True:
                tried += 1
                try:
                    return attempt()
                except LockTimeout as error:
                    wait = next(waits, None)
                    if wait is None:
                        raise
                    surroundings.events.emit(StatementRetried(tried, wait, error.what))
                self.pause(wait)

    def _print(self, *statements: str) -> None:
        for sql in statements:
            self._context.impl.static_output(f"{sql}{self._context.impl.command_terminator}")


def on_postgresql() -> bool:
    """Whether the revision that is being run changes a PostgreSQL."""
    return bool(op.get_context().dialect.name == "postgresql")


@contextmanager
def sender() -> Iterator[Sender]:
    """Leave the revision's transaction: what it did so far is committed, and it begins anew afterwards."""
    context = op.get_context()
    with context.autocommit_block():
        yield Sender(context)


def _is_slow(operation: o.Operation) -> bool:
    return isinstance(operation, o.ValidateConstraint | o.RebuildIndex) or (
        isinstance(operation, o.CreateIndex | o.DropIndex) and operation.online
    )
