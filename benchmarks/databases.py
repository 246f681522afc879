"""The databases that are measured on: SQLite files, and servers of one's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from tests._mariadb import MariadbServer, running_mariadb
from tests._postgres import PostgresServer, running_postgres


class Database(Protocol):
    """A place where empty databases come from."""

    name: str

    def fresh(self) -> sa.Engine:
        """An engine on an empty database."""
        ...

    def command_url(self, engine: sa.Engine) -> str:
        """The URL by which a user would name the engine's database on the command line."""
        ...

    def drop(self, engine: sa.Engine) -> None:
        """Close the engine and remove its database."""
        ...

    def version(self) -> str:
        """The database's own version."""
        ...


class SqliteFiles:
    """One file a database, with SQLite's default durability."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def fresh(self) -> sa.Engine:
        file = self._folder / f"bench_{next(self._numbers)}.db"
        engine = sa.create_engine(f"sqlite:///{file}")

        # The driver would commit before each DDL statement; SQLAlchemy's documentation gives this way out.
        def leave_transactions_alone(connection: Any, _record: object) -> None:
            connection.isolation_level = None

        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        sa.event.listen(engine, "connect", leave_transactions_alone)
        sa.event.listen(engine, "begin", begin)
        return engine

    def command_url(self, engine: sa.Engine) -> str:
        return engine.url.render_as_string(hide_password=False)

    def drop(self, engine: sa.Engine) -> None:
        engine.dispose()
        Path(engine.url.database or "").unlink(missing_ok=True)

    def version(self) -> str:
        import sqlite3

        return sqlite3.sqlite_version


class PostgresDatabases:
    """A server with a stock configuration but for fsync, which is off for everybody measured."""

    name = "postgres"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def fresh(self) -> sa.Engine:
        return sa.create_engine(self._server.create_database().sync_url)

    def command_url(self, engine: sa.Engine) -> str:
        return engine.url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)

    def drop(self, engine: sa.Engine) -> None:
        engine.dispose()
        self._server.drop_database(engine.url.database or "")

    def version(self) -> str:
        with self._server.admin() as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""


class MariadbDatabases:
    """A server of one's own."""

    name = "mariadb"

    def __init__(self, server: MariadbServer) -> None:
        self._server = server

    def fresh(self) -> sa.Engine:
        return sa.create_engine(self._server.create_database().sync_url)

    def command_url(self, engine: sa.Engine) -> str:
        return engine.url.render_as_string(hide_password=False)

    def drop(self, engine: sa.Engine) -> None:
        engine.dispose()
        self._server.drop_database(engine.url.database or "")

    def version(self) -> str:
        return str(self._server.execute("SELECT VERSION()")[0][0])


@contextmanager
def databases(names: list[str], folder: Path) -> Iterator[list[Database]]:
    """The databases named; the servers run as long as the block."""
    found: list[Database] = []
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if "sqlite" in names:
            files = folder / "sqlite"
            files.mkdir()
            found.append(SqliteFiles(files))
        if "postgres" in names:
            found.append(PostgresDatabases(stack.enter_context(running_postgres())))
        if "mariadb" in names:
            found.append(MariadbDatabases(stack.enter_context(running_mariadb())))
        yield found
