"""Scopes: a transaction that DDL ends by itself, autocommit, and reads that leave nothing behind.

The server commits before and after each DDL statement. What a scope can still promise is that rows written after the
last DDL statement are committed or rolled back together, and that the session's settings are as before afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import Mark
from framework_m_migrations.adapters.sql.dialects.mariadb.errors import code_of
from framework_m_migrations.adapters.sql.scopes import is_autocommit, isolation
from framework_m_migrations.adapters.sql.trial import TRIAL, Attempt
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import Limits

_FOR_EVER = 31536000
_NO_SAVEPOINT, _DEADLOCK = 1305, 1213
_MARK = "m_migrate_revision"
_COMMITS = "SHOW SESSION STATUS WHERE Variable_name IN ('Com_begin', 'Com_commit')"
_SETTINGS = ("lock_wait_timeout", "innodb_lock_wait_timeout", "max_statement_time", "sql_mode")
_STRICT = ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES")
_OTHER_SQL = ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT")
type Values = tuple[int, int, float, str]


@contextmanager
def transaction(connection: sa.Connection, limits: Limits) -> Iterator[None]:
    """A write transaction, or a savepoint where one is open already; a DDL statement within commits either.

    Args:
        connection: of any isolation level; one in AUTOCOMMIT is taken out of it for the length of the scope.
        limits: the wait for a table or row in whole seconds, rounded up; a statement's time includes its waits.

    Raises:
        ConfigurationError: the connection is in AUTOCOMMIT and within a ``begin()`` of the caller's, or its sql_mode
            makes other SQL of what is sent.
    """
    with contextlib.ExitStack() as stack:
        if is_autocommit(connection):
            if connection.in_transaction():
                raise ConfigurationError(
                    "The connection is in AUTOCOMMIT mode and in use: no transaction can be begun on it.",
                    next_step="Hand over a connection that is not in a begin() block, or one without AUTOCOMMIT.",
                )
            stack.enter_context(isolation(connection, connection.default_isolation_level))
        if connection.in_transaction():
            stack.enter_context(_savepoint(connection))
        else:
            stack.enter_context(connection.begin())
        stack.enter_context(_settings(connection, limits.lock, limits.statement or 0.0))
        yield


@contextmanager
def autocommit(connection: sa.Connection) -> Iterator[None]:
    """No transaction and no time limits.

    Raises:
        ConfigurationError: the caller's connection is in a transaction, which DDL would commit.
    """
    if connection.in_transaction():
        raise ConfigurationError(
            "The connection is in a transaction, which every DDL statement would commit.",
            next_step="Commit it before, or hand over an engine.",
        )
    with contextlib.ExitStack() as stack:
        if not is_autocommit(connection):
            stack.enter_context(isolation(connection, "AUTOCOMMIT"))
        stack.callback(_leave, connection)
        stack.enter_context(_settings(connection, None, 0.0))
        yield


@contextmanager
def taken_back(connection: sa.Connection) -> Iterator[None]:
    """A scope for reads: the transaction that they begin ends with it, one of the caller's stays."""
    open_before = connection.in_transaction()
    try:
        yield
    finally:
        if not open_before:
            _leave(connection)


@contextmanager
def attempts(connection: sa.Connection) -> Iterator[Attempt]:
    """See trial.Trial: temporary tables commit nothing, and are dropped."""
    options = {"no_parameters": True}

    def attempt(statements: Sequence[str]) -> sa.exc.DBAPIError | None:
        sent = 0
        try:
            for sql in statements:
                connection.exec_driver_sql(sql, execution_options=options).close()
                sent += 1
        except sa.exc.DBAPIError as error:
            return error
        finally:
            if sent and not connection.invalidated:
                connection.exec_driver_sql(f"DROP TEMPORARY TABLE {TRIAL}").close()
        return None

    with taken_back(connection):
        yield attempt


def mark(connection: sa.Connection) -> Mark:
    """A savepoint, which is gone once its transaction has ended."""
    # It is none of the revision's own statements.
    options = {"m_migrate_probe": True}

    def commits() -> int:
        return sum(int(value) for _, value in connection.exec_driver_sql(_COMMITS, execution_options=options))

    before = commits()
    connection.exec_driver_sql(f"SAVEPOINT {_MARK}", execution_options=options).close()

    def committed(refused: sa.exc.DBAPIError | None, *, within: bool) -> bool:
        if not within or connection.invalidated:
            return False
        if refused is not None and code_of(refused) == _DEADLOCK:
            # The server itself has rolled it back, or what came after a commit.
            return commits() != before
        try:
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {_MARK}", execution_options=options).close()
        except sa.exc.DBAPIError as error:
            if code_of(error) != _NO_SAVEPOINT:
                raise
            return True
        return False

    return committed


@contextmanager
def strict(connection: sa.Connection) -> Iterator[None]:
    """Within the block the server refuses values that do not fit, in tables of every engine, whatever sql_mode said."""
    options = {"no_parameters": True}
    before = str(connection.exec_driver_sql("SELECT @@SESSION.sql_mode", execution_options=options).scalar_one())
    modes = [mode for mode in before.split(",") if mode]
    if _STRICT[1] in modes:
        yield
        return
    connection.exec_driver_sql(f"SET SESSION sql_mode = '{','.join([*modes, _STRICT[1]])}'", execution_options=options)
    try:
        yield
    finally:
        if not connection.invalidated and not connection.closed:
            # An error of the block's is the one to be reported.
            with contextlib.suppress(sa.exc.DBAPIError):
                connection.exec_driver_sql(f"SET SESSION sql_mode = '{before}'", execution_options=options)


def _leave(connection: sa.Connection) -> None:
    if connection.in_transaction():
        connection.rollback()


@contextmanager
def _savepoint(connection: sa.Connection) -> Iterator[None]:
    """A savepoint that is gone, with all before it committed, once a DDL statement has run in it."""
    connection.exec_driver_sql("SAVEPOINT m_migrate").close()
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            _end_savepoint(connection, "ROLLBACK TO SAVEPOINT m_migrate")
        raise
    _end_savepoint(connection, "RELEASE SAVEPOINT m_migrate")


def _end_savepoint(connection: sa.Connection, sql: str) -> None:
    try:
        connection.exec_driver_sql(sql).close()
    except sa.exc.DBAPIError as error:
        if code_of(error) != _NO_SAVEPOINT:
            raise


@contextmanager
def _settings(connection: sa.Connection, lock_timeout: float | None, statement_timeout: float) -> Iterator[None]:
    """Time limits, and a strict sql_mode: without it the server cuts values and keys with a warning only."""
    names = ", ".join(f"@@SESSION.{name}" for name in _SETTINGS)
    before: Values = tuple(connection.exec_driver_sql(f"SELECT {names}").one())
    modes = [mode for mode in before[3].split(",") if mode]
    odd = [mode for mode in modes if mode in _OTHER_SQL]
    if odd:
        raise ConfigurationError(
            f"The connection's sql_mode holds {', '.join(odd)}, in which quotes and backslashes mean something else.",
            next_step="Leave it out of the sql_mode of the connection that migrates.",
        )
    strict = before[3] if set(_STRICT) & set(modes) else ",".join([*modes, _STRICT[0]])
    seconds = _FOR_EVER if lock_timeout is None else max(1, -int(-lock_timeout // 1))
    _set(connection, (seconds, seconds, statement_timeout, strict))
    try:
        yield
    except BaseException:
        if not connection.invalidated and not connection.closed:
            # The first error is the one to be told.
            with contextlib.suppress(sa.exc.DBAPIError):
                _set(connection, before)
        raise
    _set(connection, before)


def _set(connection: sa.Connection, values: Values) -> None:
    given = [f"'{value}'" if isinstance(value, str) else str(value) for value in values]
    pairs = ", ".join(f"SESSION {name} = {value}" for name, value in zip(_SETTINGS, given, strict=True))
    connection.exec_driver_sql(f"SET {pairs}").close()
