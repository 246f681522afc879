"""The driver's connection under a SQLAlchemy one: sqlite3's own, or aiosqlite's wrapper around it.

Control statements go to the driver's cursor directly: SQLAlchemy would begin a transaction of its own for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.catalog import Execute


def sqlite3_connection(connection: sa.Connection) -> Any:
    """The sqlite3.Connection itself, for its attributes only: with aiosqlite it belongs to another thread."""
    driver = connection.connection.driver_connection
    return getattr(driver, "_conn", driver)


def server_version(dialect: sa.Dialect) -> tuple[int, ...]:
    """The version of the SQLite library, () where the driver is not loaded yet."""
    module = dialect.loaded_dbapi
    return tuple(int(part) for part in str(getattr(module, "sqlite_version", "")).split(".") if part.isdigit())


def in_transaction(connection: sa.Connection) -> bool:
    """Whether SQLite has a transaction open, whoever began it."""
    return bool(sqlite3_connection(connection).in_transaction)


def driver_autocommit(connection: sa.Connection) -> bool | None:
    """The attribute ``autocommit`` of Python 3.12's sqlite3; None for its legacy mode."""
    mode = getattr(sqlite3_connection(connection), "autocommit", None)
    return mode if isinstance(mode, bool) else None


def control(connection: sa.Connection, sql: str) -> list[Any]:
    """Run a statement on the driver's cursor and return its rows; driver errors come as SQLAlchemy's."""
    cursor = connection.connection.cursor()
    try:
        with _failures_of_driver(connection, sql):
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        cursor.close()


@contextmanager
def _failures_of_driver(connection: sa.Connection, sql: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        module = connection.dialect.loaded_dbapi
        if not isinstance(error, module.Error):
            raise
        raise sa.exc.DBAPIError.instance(sql, None, error, module.Error, dialect=connection.dialect) from error


def executor(connection: sa.Connection) -> Execute:
    """Runs statements through SQLAlchemy, so that its events and logs see them; rows are the driver's own tuples."""

    def execute(sql: str, parameters: tuple[object, ...]) -> list[Any]:
        result = connection.exec_driver_sql(sql, parameters) if parameters else connection.exec_driver_sql(sql)
        try:
            # SQLAlchemy's rows cost more than all that SQLite does for them.
            with _failures_of_driver(connection, sql):
                return list(result.cursor.fetchall())
        finally:
            result.close()

    return execute


@contextmanager
def snapshot(connection: sa.Connection) -> Iterator[None]:
    """Several reads that see one state of the database, in a transaction of the driver where none is open."""
    if not connection.in_transaction():
        # First, as an engine may have a listener that says BEGIN by itself and cannot say it within ours.
        connection.begin()
    if in_transaction(connection):
        yield
        return
    control(connection, "BEGIN")
    try:
        yield
    finally:
        if in_transaction(connection):
            control(connection, "ROLLBACK")
