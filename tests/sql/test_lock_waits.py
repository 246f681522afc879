"""A statement that waits for a lock inside the server is reported while it waits, with the session that holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql import watching
from framework_m_migrations.adapters.system import ListSink
from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.events import LockAwaited
from framework_m_migrations.domain.options import LockOptions
from scripts.waiting import wait_until

URLS = [
    pytest.param("postgresql+asyncpg", marks=pytest.mark.postgres),
    pytest.param("postgresql+psycopg", marks=pytest.mark.postgres),
    pytest.param("mariadb+asyncmy", marks=pytest.mark.mariadb),
    pytest.param("mariadb+pymysql", marks=pytest.mark.mariadb),
]


@pytest.fixture(params=URLS)
def url(request: pytest.FixtureRequest) -> str:
    driver: str = request.param
    database = request.getfixturevalue("postgres_database" if "postgresql" in driver else "mariadb_database")
    found: str = database.url if driver in database.url else database.sync_url
    return found


@contextmanager
def held(url: str) -> Iterator[str]:
    """A transaction of another session that has read the table; the server's number of that session."""
    plain = url.replace("asyncpg", "psycopg").replace("asyncmy", "pymysql")
    engine = sa.create_engine(plain, poolclass=sa.NullPool)
    number = "pg_backend_pid()" if "postgresql" in url else "CONNECTION_ID()"
    with engine.connect() as connection:
        yield str(connection.exec_driver_sql(f"SELECT {number} FROM t UNION SELECT {number}").scalar_one())


def waits(sink: ListSink) -> list[LockAwaited]:
    return [event for event in sink.events if isinstance(event, LockAwaited)]


def manager(url: str, sink: ListSink, columns: int, seconds: float, path: Path) -> MigrationManager:
    metadata = sa.MetaData()
    sa.Table("t", metadata, *(sa.Column(f"c{n}", sa.Integer, primary_key=n == 0) for n in range(columns)))
    locks = LockOptions(lock_timeout=seconds, retries=0)
    settings = MigrationSettings(metadata=(metadata,), database_url=url, apps=(), path=path, locks=locks)
    return MigrationManager(settings, events=sink)


def test_a_statement_that_waits_is_reported_with_the_session_that_it_waits_for(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.2)
    sink = ListSink()
    manager(url, sink, 1, 60, tmp_path).sync()
    assert not waits(sink)
    with ThreadPoolExecutor(1) as pool:
        with held(url) as number:
            done = pool.submit(manager(url, sink, 2, 60, tmp_path).sync)
            wait_until(lambda: waits(sink), what="the report of a wait", seen=lambda: sink.events)
        assert done.result().applied
    assert any(number in holder for holder in waits(sink)[0].holders), waits(sink)


def test_a_lock_that_is_given_up_names_its_holder(url: str, tmp_path: Path) -> None:
    manager(url, ListSink(), 1, 1, tmp_path).sync()
    with held(url) as number, pytest.raises(LockTimeout) as failure:
        manager(url, ListSink(), 2, 0.2, tmp_path).sync()
    assert number in failure.value.what, failure.value


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
def test_a_wait_on_sqlite_is_reported_with_the_process(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framework_m_migrations.adapters.sql.dialects.sqlite import transactions

    monkeypatch.setattr(transactions, "PATIENCE", 0.2)
    sink, url = ListSink(), f"{driver}:///{tmp_path / 'app.db'}"
    manager(url, sink, 1, 60, tmp_path).sync()
    holder = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(manager(url, sink, 2, 60, tmp_path).sync)
        wait_until(lambda: waits(sink), what="the report of a wait", seen=lambda: sink.events)
        holder.execute("ROLLBACK")
        assert done.result().applied
    holder.close()
    assert "this process" in waits(sink)[0].holders[0], waits(sink)
