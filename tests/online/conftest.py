from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests._postgres import PostgresDatabase, PostgresServer
from tests.versions.support import Apps, Bench, connected

SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    """An empty folder for apps, importable; what was imported from it is forgotten afterwards."""
    root = tmp_path / "apps"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    made = Apps(root)
    yield made
    for name in [module for module in sys.modules if module.partition(".")[0] in made.names]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def shared_database(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    """One database for the tests of a file: to empty it is much cheaper than to make another."""
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made.name)


@pytest.fixture
def emptied_database(shared_database: PostgresDatabase) -> PostgresDatabase:
    """It, with nothing in it."""
    with psycopg.connect(shared_database.dsn, autocommit=True) as connection:
        found = connection.execute(SCHEMAS).fetchall()
        for (name,) in found:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
        connection.execute("CREATE SCHEMA public")
        connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
    return shared_database


@pytest.fixture
def postgres(emptied_database: PostgresDatabase, apps: Apps) -> Iterator[Bench]:
    with connected(emptied_database.sync_url) as connection:
        yield Bench(connection, apps)


@pytest.fixture
def sqlite(tmp_path: Path, apps: Apps) -> Iterator[Bench]:
    with connected(f"sqlite:///{tmp_path / 'test.db'}") as connection:
        yield Bench(connection, apps)
