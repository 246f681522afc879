"""Shared by the SQLite tests: files, plain connections, and tables read back through the adapter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.domain.operations import AdditiveOperation
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import Table, TableName

DIALECT = SqliteDialect()


def plain(path: Path, sql: str, *parameters: Any) -> list[Any]:
    """Run SQL on a connection of its own, as another program would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, parameters).fetchall()


def script(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


@contextmanager
def connected(path: Path | None = None, **options: Any) -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://" if path is None else f"sqlite:///{path}", **options)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def read_all(connection: sa.Connection) -> dict[str, Table]:
    catalog = DIALECT.inspector(connection, schema=None, ignored=frozenset()).read()
    connection.rollback()
    return {name.name: table for name, table in catalog.tables.items()}


def read_one(connection: sa.Connection, name: str) -> Table:
    found = DIALECT.inspector(connection, schema=None, ignored=frozenset()).read([TableName(name)])
    connection.rollback()
    return found.tables[TableName(name)]


def wanted(table: sa.Table, dialect: sa.Dialect) -> Table:
    return wanted_table(table, Target.of(dialect, DIALECT)).table


def apply(connection: sa.Connection, *operations: AdditiveOperation) -> None:
    executor = SqlExecutor(connection, DIALECT)
    with DIALECT.transaction(connection, Limits(1)):
        for operation in operations:
            executor.apply(operation)
