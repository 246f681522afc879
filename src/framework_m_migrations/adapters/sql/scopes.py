"""The transaction scopes of a session, over a connection that SQLAlchemy begins transactions on by itself.

SQLAlchemy opens a transaction at the first statement, a read included. A read outside any scope would thus turn the
next write transaction into a savepoint of it, which nobody ever commits. So whose transaction is open is settled once,
when the session is made: one from before it is the caller's and stays, any other is a leftover and ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.errors import translated
from framework_m_migrations.adapters.sql.gathering import flush, gathering
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import Limits

FILLED = "m_migrate_filled"
"""In ``info`` of a connection to an empty copy of a schema: the names of tables that have rows where it was made of."""


class ConnectionScopes:
    """transaction, autocommit and reading of ports.session.Session.

    Args:
        sql_dialect: begins and ends transactions.
        connection: opened with connect(), or the caller's own, in whatever state it is.
    """

    def __init__(self, sql_dialect: SqlDialect, connection: sa.Connection) -> None:
        self._sql_dialect = sql_dialect
        self._connection = connection
        self._depth = 0
        self.within = connection.in_transaction()
        """The caller's own transaction is open: everything happens inside it, and it stays the caller's to commit."""

    def transaction(self, limits: Limits) -> AbstractContextManager[None]:
        """A write transaction; see ports.session.Session. What COMMIT itself raises is translated too.

        Raises:
            ConfigurationError: the caller's transaction is open, on a database whose DDL would commit it, or without
                savepoints.
        """
        self._check_caller()
        return self._scope(self._gathered(limits))

    def autocommit(self) -> AbstractContextManager[None]:
        """No transaction; see ports.session.Session."""
        return self._scope(self._sql_dialect.autocommit(self._connection))

    @contextmanager
    def _gathered(self, limits: Limits) -> Iterator[None]:
        """The dialect's transaction, whose statements wait for each other."""
        connection = self._connection
        with (
            gathering(connection, self._sql_dialect.translate, limits),
            self._sql_dialect.transaction(connection, limits),
        ):
            yield
            flush(connection)

    def _check_caller(self) -> None:
        if not self.within:
            return
        can = self._sql_dialect.capabilities(self._connection.dialect)
        if not (can.transactional_ddl and can.savepoints):
            why = "every DDL statement would commit" if can.savepoints else "cannot be taken back in part"
            raise ConfigurationError(
                f"The connection is in a transaction of the caller's, which {why}.",
                next_step="Commit it before, or hand over an engine.",
            )

    @contextmanager
    def _scope(self, scope: AbstractContextManager[None]) -> Iterator[None]:
        if self._depth == 0:
            self._end_leftover()
        self._depth += 1
        try:
            with translated(self._sql_dialect.translate), scope:
                yield
        finally:
            self._depth -= 1

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A scope for reads: what it opened is rolled back at its end, a transaction from before it stays."""
        translate = self._sql_dialect.translate
        with translated(translate), self._sql_dialect.reading(self._connection):
            try:
                with translated(translate):
                    yield
            finally:
                if self._depth == 0:
                    self._end_leftover()

    def _end_leftover(self) -> None:
        if not self.within and self._connection.in_transaction():
            # The server may have gone since the last statement, of which a rollback is the first to hear.
            with translated(self._sql_dialect.translate):
                self._connection.rollback()


def is_autocommit(connection: sa.Connection) -> bool:
    """Whether the driver's connection commits each statement."""
    raw: Any = connection.connection.dbapi_connection
    dialect: Any = connection.dialect
    if hasattr(dialect, "detect_autocommit_setting"):
        return bool(dialect.detect_autocommit_setting(raw))
    # SQLAlchemy 2.0.40 cannot tell; PyMySQL and asyncmy have a method of that name, which sets it.
    known = raw.autocommit
    return bool(connection.connection.driver_connection.get_autocommit() if callable(known) else known)  # type: ignore[union-attr]


@contextmanager
def isolation(connection: sa.Connection, level: str | None) -> Iterator[None]:
    """The isolation level of a connection, which has its former one again afterwards."""
    before = connection.get_execution_options().get("isolation_level")
    if before is None:
        before = "AUTOCOMMIT" if is_autocommit(connection) else connection.default_isolation_level
    connection.execution_options(isolation_level=level)
    try:
        yield
    finally:
        if not connection.invalidated and not connection.closed:
            connection.execution_options(isolation_level=before)
