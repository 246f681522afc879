"""Scopes of work (transactions, autocommit, what is taken back), and whether a proxy pools them."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import Mark
from framework_m_migrations.adapters.sql.dialects.postgresql.text import escaped_literal, execute
from framework_m_migrations.adapters.sql.gathering import options
from framework_m_migrations.adapters.sql.scopes import is_autocommit, isolation
from framework_m_migrations.adapters.sql.trial import Attempt
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import Limits

_KNOWN = "framework_m_migrations_pooled"
_COUNTED = re.compile(r"__asyncpg_stmt_[0-9a-f]+__")
"""asyncpg's own names; one that a caller makes up (prepared_statement_name_func) is the caller's alone."""


def is_pooled(connection: sa.Connection) -> bool:
    """Whether a proxy stands between; asked of the server once for each connection.

    A transaction of the caller's is left as it was. False where the driver does not tell what it was given.
    """
    info = connection.info
    if _KNOWN not in info:
        told = _told_at_login(connection)
        if told is None:
            info[_KNOWN] = False
        else:
            idle = not connection.in_transaction()
            info[_KNOWN] = connection.exec_driver_sql("SELECT pg_catalog.pg_backend_pid()").scalar_one() != told
            if idle:
                connection.rollback()
        if info[_KNOWN]:
            mark_pooled(connection)
    return bool(info[_KNOWN])


def mark_pooled(connection: sa.Connection) -> None:
    """Somebody who knows says that there is a proxy. psycopg prepares nothing on this connection from now on."""
    connection.info[_KNOWN] = True
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "prepare_threshold"):
        driver.prepare_threshold = None


def refuse_counted_names(connection: sa.Connection) -> None:
    """Nothing is done where asyncpg's prepared statements might be taken for another client's.

    The server is asked under which name it has the very statement that asks.

    Args:
        connection: known to be pooled, in a transaction.

    Raises:
        ConfigurationError: the caller's engine keeps prepared statements, and the proxy passes on their counted names.
    """
    if not hasattr(connection.connection.driver_connection, "get_server_pid"):
        return
    mark = secrets.token_hex(8)
    sql = f"SELECT name FROM pg_catalog.pg_prepared_statements WHERE position('{mark}' IN statement) > 0"  # noqa: S608
    name = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar()
    if name is not None and _COUNTED.fullmatch(name):
        raise ConfigurationError(
            "The engine that was passed in keeps prepared statements, and a connection pooler shares the server's "
            "sessions without keeping the statements of its clients apart.",
            next_step="Hand over an AsyncEngine with connect_args={'statement_cache_size': 0, "
            "'prepared_statement_cache_size': 0} and NullPool, or a PgBouncer since 1.21 with max_prepared_statements; "
            "where the proxy lends sessions as a whole, set MigrationSettings.lock to 'advisory'.",
        )


def known_to_be_pooled(connection: sa.Connection) -> bool:
    """What is known already, without asking: False where it was not asked."""
    return bool(connection.info.get(_KNOWN))


def _told_at_login(connection: sa.Connection) -> int | None:
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "get_server_pid"):  # asyncpg
        return int(driver.get_server_pid())
    if hasattr(driver, "get_backend_pid"):  # psycopg2
        return int(driver.get_backend_pid())
    found = getattr(getattr(driver, "info", None), "backend_pid", None)  # psycopg
    return None if found is None else int(found)


# Scopes: transactions, autocommit, and what may be tried and is taken back.


_PLAIN_ISOLATION = "READ COMMITTED"
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
"""For a connection that SQLAlchemy has in AUTOCOMMIT and in use, on which it begins no transaction of its own."""
_READING = "m_migrate.reading"
_HAND = "m_migrate.by_hand"
_NAMES = ("lock_timeout", "statement_timeout")


@contextmanager
def transaction(connection: sa.Connection, limits: Limits) -> Iterator[None]:
    """A write transaction, or a savepoint where the caller's connection is in one already.

    Statements have no time limit in it but the wait for locks, unless one is asked for: a statement_timeout that a role
    or database sets would kill a validation that nobody waits for.

    Args:
        connection: of any isolation level; one in AUTOCOMMIT is taken out of it for the length of the scope.
        limits: a statement's time includes its waits.

    Raises:
        ConfigurationError: the connection is in AUTOCOMMIT and within a ``begin()`` of the caller's.
    """
    values = _limits(limits.lock, limits.statement or 0)
    if is_autocommit(connection):
        if connection.in_transaction():
            raise ConfigurationError(
                "The connection is in AUTOCOMMIT mode and in use: no transaction can be begun on it.",
                next_step="Hand over a connection that is not in a begin() block, or one without AUTOCOMMIT.",
            )
        with isolation(connection, _PLAIN_ISOLATION), connection.begin():
            _limit(connection, values)
            yield
    elif connection.in_transaction():
        with connection.begin_nested():
            before = _set(connection, values, local=True)
            yield
            # The end of a savepoint that succeeds keeps SET LOCAL; that of one that fails takes it back.
            _set(connection, before, local=True)
    else:
        with connection.begin():
            _limit(connection, values)
            yield


@contextmanager
def reading(connection: sa.Connection) -> Iterator[None]:
    """AUTOCOMMIT, where the connection is idle; a transaction that is open stays."""
    if connection.in_transaction():
        yield
        return
    with contextlib.ExitStack() as stack:
        if not is_autocommit(connection):
            stack.enter_context(isolation(connection, "AUTOCOMMIT"))
        stack.callback(_leave, connection)
        connection.info[_READING] = True
        yield


@contextmanager
def autocommit(connection: sa.Connection) -> Iterator[None]:
    """No transaction and no timeouts: a lock_timeout would leave a concurrent index build invalid.

    Raises:
        ConfigurationError: the caller's connection is in a transaction, within which nothing of this can be done.
    """
    if connection.in_transaction():
        raise ConfigurationError(
            "The connection is in a transaction, within which no index can be built without blocking writers.",
            next_step="Commit it before, or hand over an engine; or plan without online operations.",
        )
    with contextlib.ExitStack() as stack:
        if not is_autocommit(connection):
            stack.enter_context(isolation(connection, "AUTOCOMMIT"))
        # Registered after the isolation level, so that it runs before it.
        stack.callback(_leave, connection)
        stack.enter_context(unlimited(connection))
        yield


@contextmanager
def unlimited(connection: sa.Connection) -> Iterator[None]:
    """No timeouts within, on a connection in AUTOCOMMIT; what the session had before is set again afterwards.

    Behind a proxy that pools transactions nothing is set: it would stay with somebody else's session.
    """
    if known_to_be_pooled(connection):
        yield
        return
    before = _set(connection, _limits(None, 0), local=False)
    try:
        yield
    finally:
        if not connection.invalidated:
            _set(connection, before, local=False)


def mark(connection: sa.Connection) -> Mark:
    """The server's number of the transaction, of which it says later what became of it."""
    number = connection.exec_driver_sql("SELECT txid_current()").scalar_one()

    def committed(refused: object, *, within: bool) -> bool:
        del refused
        # Within a transaction that has failed nothing can be asked.
        if within or connection.invalidated or connection.closed:
            return False
        with taken_back(connection):
            return bool(connection.exec_driver_sql(f"SELECT txid_status({int(number)}) = 'committed'").scalar_one())

    return committed


def set_limits(connection: sa.Connection, *, lock: float | None, statement: float | None = None) -> None:
    """Limit until the transaction ends the wait for locks and the statements, in seconds; None for no limit."""
    _set(connection, _limits(lock, statement or 0), local=True)


@contextmanager
def taken_back(connection: sa.Connection, *, timeout: float | None = None) -> Iterator[None]:
    """A scope whose every effect is rolled back, the caller's own transaction left as it was.

    Args:
        connection: in a transaction or not.
        timeout: seconds that one statement may take, waits for locks included; None for no limit.
    """
    with contextlib.ExitStack() as stack:
        if is_autocommit(connection):
            if connection.info.get(_READING) and connection.in_transaction():
                connection.rollback()  # Of what SQLAlchemy alone counts as a transaction.
            if connection.in_transaction():
                stack.enter_context(_by_hand(connection))
                if timeout is not None:
                    _set(connection, _limits(timeout, timeout), local=True)
                yield
                return
            stack.enter_context(isolation(connection, _PLAIN_ISOLATION))
        scope = connection.begin_nested() if connection.in_transaction() else connection.begin()
        try:
            if timeout is not None:
                _set(connection, _limits(timeout, timeout), local=True)
            yield
        finally:
            if scope.is_active:
                scope.rollback()


@contextmanager
def attempts(connection: sa.Connection) -> Iterator[Attempt | None]:
    """See trial.Trial: each attempt is a savepoint in a transaction that is rolled back."""
    if is_inside_autocommit_block(connection):
        yield None
        return

    def attempt(statements: Sequence[str]) -> sa.exc.DBAPIError | None:
        try:
            with taken_back(connection):
                body, tag = "\n".join(f"EXECUTE {escaped_literal(sql)};" for sql in statements), "$m_migrate$"
                while tag in body:
                    tag = f"{tag[:-1]}_$"
                execute(connection, f"DO {tag} BEGIN\n{body}\nEND {tag}").close()
        except sa.exc.DBAPIError as error:
            return error
        return None

    with taken_back(connection):
        yield attempt


def is_inside_autocommit_block(connection: sa.Connection) -> bool:
    """Whether SQLAlchemy counts a transaction of the caller's that the server knows nothing of."""
    return connection.in_transaction() and is_autocommit(connection) and not connection.info.get(_READING)


@contextmanager
def _by_hand(connection: sa.Connection) -> Iterator[None]:
    """A transaction that SQLAlchemy knows nothing of, or a savepoint in one, rolled back at its end."""
    inner = connection.info.get(_HAND, False)
    connection.exec_driver_sql("SAVEPOINT m_migrate_trial" if inner else BEGIN).close()
    connection.info[_HAND] = True
    try:
        yield
    finally:
        connection.info[_HAND] = inner
        if not connection.invalidated and not connection.closed:
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT m_migrate_trial" if inner else "ROLLBACK").close()


def _leave(connection: sa.Connection) -> None:
    if connection.in_transaction():
        connection.rollback()
    if not connection.closed and not connection.invalidated:
        connection.info.pop(_READING, None)


def _limits(lock: float | None, statement: float) -> tuple[str, ...]:
    """Milliseconds as the server takes them; it reads 0 as no limit, so a limit is at least one."""
    lock_milliseconds = 0 if lock is None else max(1, round(lock * 1000))
    return f"{lock_milliseconds}ms", f"{round(statement * 1000)}ms"


def _limit(connection: sa.Connection, values: tuple[str, ...]) -> None:
    """Set the limits until the transaction ends; what they were before comes back by itself."""
    columns = [f"set_config('{name}', '{value}', true)" for name, value in zip(_NAMES, values, strict=True)]
    connection.exec_driver_sql(f"SELECT {', '.join(columns)}", execution_options=options(connection)).close()


def _set(connection: sa.Connection, values: tuple[str, ...], *, local: bool) -> tuple[str, ...]:
    """Set the limits; what they were before."""
    scope = "true" if local else "false"
    columns = [f"current_setting('{name}')" for name in _NAMES]
    columns += [f"set_config('{name}', '{value}', {scope})" for name, value in zip(_NAMES, values, strict=True)]
    row = connection.exec_driver_sql(f"SELECT {', '.join(columns)}").one()
    return tuple(row[: len(_NAMES)])
