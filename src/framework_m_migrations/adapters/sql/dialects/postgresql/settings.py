"""Scopes: transactions, autocommit, and what may be tried and is taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import Mark
from framework_m_migrations.adapters.sql.dialects.postgresql.pooling import known_to_be_pooled
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import Limits

_PLAIN_ISOLATION = "READ COMMITTED"
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
"""For a connection that SQLAlchemy has in AUTOCOMMIT and in use, on which it begins no transaction of its own."""
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
        with _isolation(connection, _PLAIN_ISOLATION), connection.begin():
            _set(connection, values, local=True)
            yield
    elif connection.in_transaction():
        with connection.begin_nested():
            before = _set(connection, values, local=True)
            yield
            # The end of a savepoint that succeeds keeps SET LOCAL; that of one that fails takes it back.
            _set(connection, before, local=True)
    else:
        with connection.begin():
            _set(connection, values, local=True)
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
            stack.enter_context(_isolation(connection, "AUTOCOMMIT"))
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
            if connection.in_transaction():
                stack.enter_context(_by_hand(connection))
                if timeout is not None:
                    _set(connection, _limits(timeout, timeout), local=True)
                yield
                return
            stack.enter_context(_isolation(connection, _PLAIN_ISOLATION))
        scope = connection.begin_nested() if connection.in_transaction() else connection.begin()
        try:
            if timeout is not None:
                _set(connection, _limits(timeout, timeout), local=True)
            yield
        finally:
            if scope.is_active:
                scope.rollback()


def is_autocommit(connection: sa.Connection) -> bool:
    """Whether the driver's connection commits each statement."""
    return connection.dialect.detect_autocommit_setting(connection.connection.dbapi_connection)  # type: ignore[arg-type]


def is_inside_autocommit_block(connection: sa.Connection) -> bool:
    """Whether SQLAlchemy counts a transaction that the server knows nothing of."""
    return connection.in_transaction() and is_autocommit(connection)


@contextmanager
def _by_hand(connection: sa.Connection) -> Iterator[None]:
    """A transaction that SQLAlchemy knows nothing of, rolled back at its end."""
    connection.exec_driver_sql(BEGIN).close()
    try:
        yield
    finally:
        if not connection.invalidated and not connection.closed:
            connection.exec_driver_sql("ROLLBACK").close()


@contextmanager
def _isolation(connection: sa.Connection, level: str) -> Iterator[None]:
    before = connection.get_execution_options().get("isolation_level")
    if before is None:
        before = "AUTOCOMMIT" if is_autocommit(connection) else connection.default_isolation_level
    connection.execution_options(isolation_level=level)
    try:
        yield
    finally:
        if not connection.invalidated and not connection.closed:
            connection.execution_options(isolation_level=before)


def _leave(connection: sa.Connection) -> None:
    if connection.in_transaction():
        connection.rollback()


def _limits(lock: float | None, statement: float) -> tuple[str, ...]:
    """Milliseconds as the server takes them; it reads 0 as no limit, so a limit is at least one."""
    lock_milliseconds = 0 if lock is None else max(1, round(lock * 1000))
    return f"{lock_milliseconds}ms", f"{round(statement * 1000)}ms"


def _set(connection: sa.Connection, values: tuple[str, ...], *, local: bool) -> tuple[str, ...]:
    """Set the limits; what they were before."""
    scope = "true" if local else "false"
    columns = [f"current_setting('{name}')" for name in _NAMES]
    columns += [f"set_config('{name}', '{value}', {scope})" for name, value in zip(_NAMES, values, strict=True)]
    row = connection.exec_driver_sql(f"SELECT {', '.join(columns)}").one()
    return tuple(row[: len(_NAMES)])
