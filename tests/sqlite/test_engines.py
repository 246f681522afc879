"""The engines that this package makes for itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from framework_m_migrations.adapters.sql.async_engines import create_aiosqlite_engine
from framework_m_migrations.adapters.sql.dialects.mariadb.dialect import MariadbDialect
from framework_m_migrations.adapters.sql.engines import create_sync_engine, is_memory
from framework_m_migrations.container.engines import _plain_async_engine
from framework_m_migrations.domain.errors import ConfigurationError, UnsupportedDatabase
from scripts.waiting import PROGRAM_LIMIT

MEMORY = [
    "sqlite://",
    "sqlite:///:memory:",
    "sqlite:///file::memory:?uri=true",
    "sqlite:///file:x?mode=memory&uri=true",
]


@pytest.mark.parametrize("url", MEMORY)
def test_a_database_in_memory_lives_as_long_as_its_engine(url: str) -> None:
    assert is_memory(sa.make_url(url))
    engine = create_sync_engine(url)
    assert isinstance(engine.pool, StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 0
    engine.dispose()


def test_a_file_is_closed_with_its_connection(tmp_path: Path) -> None:
    engine = create_sync_engine(f"sqlite:///{tmp_path / 'app.db'}")
    assert isinstance(engine.pool, NullPool)
    assert not is_memory(engine.url)
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
    with pytest.raises(Exception, match="closed database"):
        raw.execute("SELECT 1")  # type: ignore[union-attr]


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///{}/app.db"])
def test_inside_an_event_loop(url: str, tmp_path: Path) -> None:
    async def main() -> int:
        engine = create_aiosqlite_engine(url.format(tmp_path))
        async with engine.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (a)")
        async with engine.connect() as connection:
            found: int = (await connection.exec_driver_sql("SELECT count(*) FROM t")).scalar_one()
        await engine.dispose()
        return found

    assert asyncio.run(main()) == 0


def test_a_file_that_cannot_be_opened_starts_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiosqlite's thread would report to an event loop that may have ended, and print a traceback."""
    started: list[str] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)

    async def connect() -> None:
        engine = create_aiosqlite_engine(f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'app.db'}")
        with pytest.raises(sa.exc.OperationalError, match="unable to open database file"):
            await engine.connect()
        await engine.dispose()

    asyncio.run(connect())
    assert started == []


def test_other_databases_are_refused_without_telling_the_password() -> None:
    for create in (create_sync_engine, create_aiosqlite_engine):
        with pytest.raises(UnsupportedDatabase) as caught:
            create("postgresql://ann:s3cret@host/db")
        assert "s3cret" not in str(caught.value)


def test_the_synchronous_path_needs_no_server_package() -> None:
    """As in a browser: no greenlet, no aiosqlite, no asyncio extension of SQLAlchemy, no thread."""
    program = """
import sys
for name in ("greenlet", "aiosqlite", "sqlalchemy.ext.asyncio"):
    sys.modules[name] = None
from framework_m_migrations.adapters.sql.dialects.sqlite.dialect import SqliteDialect
from framework_m_migrations.adapters.sql.runner import SyncSqlRunner
from framework_m_migrations.adapters.sql.engines import create_sync_engine
import threading
threading.Thread.start = None
from framework_m_migrations.domain.options import Limits
engine = create_sync_engine("sqlite://")
with engine.connect() as connection:
    dialect = SqliteDialect()
    with dialect.transaction(connection, Limits(1)):
        connection.exec_driver_sql("CREATE TABLE t (a)")
    print(len(dialect.inspector(connection, schema=None, ignored=frozenset()).read().tables))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PROGRAM_LIMIT
    )
    assert (done.stdout.strip(), done.stderr) == ("1", "")


def test_a_url_of_another_package_gets_the_asynchronous_driver_that_its_dialect_names() -> None:
    made = _plain_async_engine(sa.make_url("mariadb://u@h/x"), MariadbDialect())
    assert made.dialect.driver == "asyncmy"
    with pytest.raises(ConfigurationError, match=r"begins with mariadb\+asyncmy://"):
        _plain_async_engine(sa.make_url("mariadb+pymysql://u@h/x"), MariadbDialect())
