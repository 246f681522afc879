"""The worlds of histories: made once for a module, emptied for each history."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import create_sync_engine
from tests._postgres import PostgresServer
from tests.histories.checks import History
from tests.histories.worlds import Memory, Sql, World

type MakeHistory = Callable[[], History]
EMPTY = "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@pytest.fixture(scope="module")
def make_history(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeHistory]:
    """Makes histories that begin with empty databases, one at a time: memory, SQLite and PostgreSQL."""
    folder = tmp_path_factory.mktemp("histories")
    file = folder / "history.db"
    scratch = sa.create_engine("sqlite://")

    def sqlite() -> World:
        for path in folder.iterdir():
            path.unlink()
        return Sql("sqlite", create_sync_engine(sa.make_url(f"sqlite:///{file}")), scratch)

    databases = postgres_server.create_database(), postgres_server.create_database()
    engine, other = (sa.create_engine(one.sync_url) for one in databases)
    with psycopg.connect(databases[0].dsn, autocommit=True) as admin:

        def all_three() -> History:
            admin.execute(EMPTY)
            return History(Memory(), (sqlite(), Sql("postgresql", engine, other)))

        yield all_three
    for one in (engine, other, scratch):
        one.dispose()
    for database in databases:
        postgres_server.drop_database(database.name)
