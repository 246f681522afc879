"""One function on a connection of any driver, asynchronous ones included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql.inspector import PostgresqlInspector
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.domain.schema import Table
from scripts.waiting import wait_until
from tests._postgres import PostgresDatabase

DRIVERS = ("asyncpg", "psycopg")


def run[T](
    database: PostgresDatabase, function: Callable[[sa.Connection], T], driver: str = "psycopg", **options: Any
) -> T:
    """Call a function with a connection; the engine is gone afterwards."""
    url = database.server.url(database.name, driver)
    if driver == "asyncpg":
        return asyncio.run(_run_async(url, function, options))
    engine = sa.create_engine(url, poolclass=sa.NullPool, **options)
    with engine.connect() as connection:
        return function(connection)


async def _run_async[T](url: str, function: Callable[[sa.Connection], T], options: dict[str, Any]) -> T:
    engine = create_async_engine(url, poolclass=sa.NullPool, **options)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(function)
    finally:
        await engine.dispose()


@contextmanager
def connected(database: PostgresDatabase, **options: Any) -> Iterator[sa.Connection]:
    """A psycopg connection."""
    engine = sa.create_engine(database.sync_url, poolclass=sa.NullPool, **options)
    with engine.connect() as connection:
        yield connection


def ddl(connection: sa.Connection, *statements: str) -> None:
    """Run statements as they stand, and commit."""
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    connection.commit()


def inspector(connection: sa.Connection, schema: str | None = None, **options: Any) -> PostgresqlInspector:
    return PostgresqlInspector(connection, schema=schema, **options)


def executor(connection: sa.Connection, schema: str | None = None) -> SqlExecutor:
    return SqlExecutor(connection, PostgresqlDialect(), schema=schema)


def wanted(metadata: sa.MetaData, connection: sa.Connection, schema: str | None = None) -> list[Table]:
    """The tables of a MetaData as wanted values."""
    target = Target.of(connection.dialect, PostgresqlDialect(), schema=schema)
    return [wanted_table(table, target).table for table in metadata.sorted_tables]


@contextmanager
def counted(connection: sa.Connection) -> Iterator[list[str]]:
    """The statements that leave within."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)


def served(types: list[sa.types.TypeEngine[Any]], major: int) -> list[sa.types.TypeEngine[Any]]:
    """Those that a server of this version has: multiranges came with 14."""
    return [one for one in types if major >= 14 or "MULTIRANGE" not in type(one).__name__]


def end_session(connection: sa.Connection, pid: object) -> None:
    """End another session, and wait until it has ended; the server waits by itself since 14 only."""
    connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    gone = f"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})"

    def ended() -> bool:
        connection.rollback()
        return bool(connection.exec_driver_sql(gone).scalar())

    wait_until(ended, what=f"the end of session {pid}")
    connection.rollback()
