"""Databases in which pairs of schemas are tried: emptied for each pair, one set for a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import create_sync_engine
from tests._mariadb import MariadbServer
from tests._postgres import PostgresServer
from tests.equivalence.judges import JUDGES, Dump, is_own

DIALECTS = ("sqlite", "postgresql", "mariadb")

type Rows = dict[str, dict[str, dict[str, object]]]
"""Table, then the value of ``id`` as a text, then column to value."""


@dataclass(frozen=True)
class Place:
    """One database. ``empty`` takes everything out of it."""

    dialect: str
    engine: sa.Engine
    empty: Callable[[], None]
    _built: dict[tuple[str, ...], Dump] = field(default_factory=dict)

    def dump(self) -> Dump:
        """What the database says it has."""
        with self.engine.connect() as connection:
            return JUDGES[self.dialect](connection)

    def execute(self, *statements: str) -> None:
        """Each statement in a transaction of its own."""
        for statement in statements:
            with self.engine.begin() as connection:
                if self.dialect == "sqlite":
                    connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def rows(self) -> Rows:
        """All rows. Each table has a column ``id`` that tells them apart."""
        found: Rows = {}
        with self.engine.connect() as connection:
            for name in sa.inspect(connection).get_table_names():
                if not is_own(name):
                    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
                    result = connection.exec_driver_sql(f"SELECT * FROM {quoted}")
                    found[name] = {str(row["id"]): dict(row) for row in result.mappings()}
        return found

    def create_all(self, metadata: sa.MetaData, rows: Sequence[str] = ()) -> Dump:
        """What a database says into which SQLAlchemy itself built the schema; it is empty before and behind.

        The same statements are sent once.

        Args:
            metadata: the schema.
            rows: INSERT statements that the database must take.
        """
        sent: list[str] = []
        told = sa.create_mock_engine(
            f"{self.dialect}://", lambda ddl, *_, **__: sent.append(str(ddl.compile(dialect=self.engine.dialect)))
        )
        metadata.create_all(told, checkfirst=False)
        key = (*sent, *rows)
        if key not in self._built:
            metadata.create_all(self.engine)
            self.execute(*rows)
            self._built[key] = self.dump()
            self.empty()
        return self._built[key]


@dataclass(frozen=True)
class Places:
    """A database for what is tried, and one for what SQLAlchemy builds."""

    work: Place
    ideal: Place
    folder: Path


@contextmanager
def sqlite_places(folder: Path) -> Iterator[Places]:
    """Two files."""

    def place(name: str) -> Place:
        file = folder / f"{name}.db"

        def empty() -> None:
            engine.dispose()
            for path in folder.glob(f"{name}.db*"):
                path.unlink()

        engine = create_sync_engine(sa.make_url(f"sqlite:///{file}"))

        return Place("sqlite", engine, empty)

    made = Places(place("work"), place("ideal"), folder)
    yield made
    for one in (made.work, made.ideal):
        one.engine.dispose()


@contextmanager
def postgresql_places(server: PostgresServer, folder: Path) -> Iterator[Places]:
    """Two databases."""
    databases = server.create_database(), server.create_database()
    engines = [sa.create_engine(one.sync_url) for one in databases]

    def place(engine: sa.Engine) -> Place:
        def empty() -> None:
            with engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL client_min_messages = warning")
                connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                connection.exec_driver_sql("CREATE SCHEMA public")
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA pg_catalog")

        empty()
        return Place("postgresql", engine, empty)

    yield Places(place(engines[0]), place(engines[1]), folder)
    for engine in engines:
        engine.dispose()
    for database in databases:
        server.drop_database(database.name)


@contextmanager
def mariadb_places(server: MariadbServer, folder: Path) -> Iterator[Places]:
    """Two databases."""
    databases = server.create_database(), server.create_database()
    engines = [sa.create_engine(one.sync_url) for one in databases]

    def place(engine: sa.Engine, name: str) -> Place:
        def empty() -> None:
            engine.dispose()
            server.execute(f"DROP DATABASE {name}", f"CREATE DATABASE {name}")

        return Place("mariadb", engine, empty)

    places = [place(engine, one.name) for engine, one in zip(engines, databases, strict=True)]
    yield Places(places[0], places[1], folder)
    for engine in engines:
        engine.dispose()
    for database in databases:
        server.drop_database(database.name)


@contextmanager
def places(dialect: str, server: Callable[[], Any], folder: Path) -> Iterator[Places]:
    """The databases of a dialect; ``server`` is asked for a server only where the dialect has one."""
    match dialect:
        case "sqlite":
            opened = sqlite_places(folder)
        case "postgresql":
            opened = postgresql_places(server(), folder)
        case _:
            opened = mariadb_places(server(), folder)
    with opened as made:
        yield made
