"""One migrator at a time, whoever dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql.locks import PostgresqlLock, lock_key
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import Limits
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, ddl, end_session, run


@contextlib.contextmanager
def lock_of(connection: sa.Connection, schema: str | None = None) -> Iterator[PostgresqlLock]:
    lock = PostgresqlDialect().lock(connection, schema=schema)
    try:
        yield lock
    finally:
        lock.release()


@pytest.mark.parametrize("driver", DRIVERS)
def test_two_sessions_exclude_each_other(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        with connected(postgres_database) as elsewhere, lock_of(elsewhere) as theirs, lock_of(connection) as mine:
            assert theirs.holder() is None
            assert mine.try_acquire()
            assert mine.try_acquire()
            assert not connection.in_transaction()
            assert not theirs.try_acquire()
            told = theirs.holder()
            assert told is not None
            assert "process " in told
            assert postgres_database.server.password not in told
            mine.release()
            mine.release()
            assert theirs.holder() is None
            assert theirs.try_acquire()
            assert not mine.try_acquire()
            assert "process " in str(mine.holder())

    run(postgres_database, check, driver)


def test_it_outlives_transactions_and_holds_up_no_index_build(postgres_database: PostgresDatabase) -> None:
    """A polling waiter and the holder's own connection must not make a concurrent build wait for ever."""
    with connected(postgres_database) as connection, connected(postgres_database) as waiting:
        ddl(connection, "CREATE TABLE t (id int)")
        with lock_of(connection) as mine, lock_of(waiting) as theirs:
            assert mine.try_acquire()
            assert not theirs.try_acquire()
            with PostgresqlDialect().transaction(connection, Limits(1)):
                connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            with pytest.raises(ZeroDivisionError), PostgresqlDialect().transaction(connection, Limits(1)):
                raise ZeroDivisionError
            assert not theirs.try_acquire()
            ddl(connection, "SET statement_timeout = '20s'")
            with PostgresqlDialect().autocommit(connection):
                connection.exec_driver_sql("SET statement_timeout = '20s'")
                connection.exec_driver_sql("CREATE INDEX CONCURRENTLY ix ON t (id)")
            assert not theirs.try_acquire()


def test_a_dead_holder_holds_nothing(postgres_database: PostgresDatabase) -> None:
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(connected(postgres_database))
        waiting = stack.enter_context(connected(postgres_database))
        with lock_of(connection) as mine, lock_of(waiting) as theirs:
            assert mine.try_acquire()
            assert not theirs.try_acquire()
            pid = str(theirs.holder()).split()[1]
            end_session(waiting, pid)
            assert theirs.try_acquire()
            mine.release()
            assert not mine.try_acquire()


def test_schemas_have_locks_of_their_own(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as first, connected(postgres_database) as second:
        ddl(first, "CREATE SCHEMA tenant")
        with lock_of(first, "tenant") as tenant, lock_of(second) as public:
            assert tenant.try_acquire()
            assert public.try_acquire()
            public.release()
            ddl(second, "SET search_path = tenant")
        with lock_of(first, "tenant") as tenant, lock_of(second) as same:
            assert tenant.try_acquire()
            assert not same.try_acquire()


def test_keys_differ() -> None:
    keys = {lock_key(database, schema) for database in ("a", "b", "a\0b") for schema in ("public", "x", "b\0x", "")}
    assert len(keys) == 11  # ("a\0b", "x") and ("a", "b\0x") are one; neither name can exist
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_it_keeps_the_callers_transaction(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        connection.exec_driver_sql("CREATE TABLE t (id int)")
        with lock_of(connection) as mine:
            assert mine.try_acquire()
            connection.commit()
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0


def test_an_engine_with_one_connection_is_told_so(postgres_database: PostgresDatabase) -> None:
    single = sa.create_engine(postgres_database.sync_url, poolclass=sa.StaticPool)
    with single.connect() as connection, pytest.raises(ConfigurationError, match="one connection"):
        PostgresqlDialect().lock(connection, schema=None).try_acquire()
    single.dispose()
    small = sa.create_engine(postgres_database.sync_url, pool_size=1, max_overflow=0, pool_timeout=0.2)
    with small.connect() as connection, pytest.raises(ConfigurationError, match="no second connection"):
        PostgresqlDialect().lock(connection, schema=None).try_acquire()
    small.dispose()


def test_a_pool_gets_its_connection_back_clean(postgres_database: PostgresDatabase) -> None:
    engine = sa.create_engine(postgres_database.sync_url, pool_size=2, max_overflow=0)
    with engine.connect() as connection:
        with lock_of(connection) as mine:
            assert mine.try_acquire()
        with engine.connect() as again:
            assert not again.dialect.detect_autocommit_setting(again.connection.dbapi_connection)  # type: ignore[arg-type]
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            assert again.exec_driver_sql(held).scalar() == 0
    engine.dispose()


def test_asynchronous_engines_lend_one_too(postgres_database: PostgresDatabase) -> None:
    async def check() -> None:
        engine = create_async_engine(postgres_database.url)
        async with engine.connect() as first, engine.connect() as second:
            mine = await first.run_sync(lambda c: PostgresqlDialect().lock(c, schema=None))
            theirs = await second.run_sync(lambda c: PostgresqlDialect().lock(c, schema=None))
            assert await first.run_sync(lambda _: mine.try_acquire())
            assert not await second.run_sync(lambda _: theirs.try_acquire())
            assert "process" in str(await second.run_sync(lambda _: theirs.holder()))
            await first.run_sync(lambda _: mine.release())
            assert await second.run_sync(lambda _: theirs.try_acquire())
            await second.run_sync(lambda _: theirs.release())
        await engine.dispose()

    asyncio.run(check())
