"""What drivers raise, as errors of our tree; and engines for asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.async_engines import asyncpg_engine, asyncpg_url
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.engines import parse_url
from framework_m_migrations.domain import errors as e
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, ddl, run

DIALECT = PostgresqlDialect()


def caught(function: Callable[[], object]) -> sa.exc.DBAPIError:
    with pytest.raises(sa.exc.DBAPIError) as failure:
        function()
    return failure.value


@pytest.mark.parametrize("driver", DRIVERS)
def test_states_become_errors(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        with connected(postgres_database) as other:
            ddl(other, "CREATE TABLE t (id int)", "DROP ROLE IF EXISTS feeble", "CREATE ROLE feeble")
            other.exec_driver_sql("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            told = DIALECT.translate(caught(lambda: connection.exec_driver_sql("SELECT * FROM t")))
            assert isinstance(told, e.LockTimeout)
            assert told.details["sqlstate"] == "55P03"
            connection.rollback()
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        told = DIALECT.translate(caught(lambda: connection.exec_driver_sql("CREATE TABLE u (id int)")))
        assert isinstance(told, e.DatabaseReadOnly)
        connection.rollback()
        connection.exec_driver_sql("SET ROLE feeble")
        told = DIALECT.translate(caught(lambda: connection.exec_driver_sql("DROP TABLE t")))
        assert isinstance(told, e.MissingPrivilege)
        assert "owner" in told.what
        connection.rollback()
        full = "DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"
        told = DIALECT.translate(caught(lambda: connection.exec_driver_sql(full)))
        assert isinstance(told, e.StorageFull)
        connection.rollback()
        deadlock = "DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$"
        assert isinstance(DIALECT.translate(caught(lambda: connection.exec_driver_sql(deadlock))), e.LockTimeout)
        connection.rollback()
        assert DIALECT.translate(caught(lambda: connection.exec_driver_sql("SELECT nonsense"))) is None
        connection.rollback()
        ddl(connection, "DROP ROLE feeble")

    run(postgres_database, check, driver)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_wrong_password_is_never_repeated(postgres_database: PostgresDatabase, driver: str) -> None:
    url = sa.make_url(postgres_database.server.url(postgres_database.name, driver)).set(password="s3cr3t@x")
    if driver == "asyncpg":

        async def connect() -> None:
            engine = asyncpg_engine(url)
            try:
                async with engine.connect():
                    pass
            finally:
                await engine.dispose()

        with pytest.raises(Exception, match="password") as failure:
            asyncio.run(connect())
    else:
        engine = sa.create_engine(url)
        with pytest.raises(Exception, match="password") as failure:
            engine.connect()
    assert "s3cr3t" not in str(failure.value)
    if isinstance(failure.value, sa.exc.DBAPIError):
        told = DIALECT.translate(failure.value)
        assert told is None or isinstance(told, e.ConnectionFailed)
        assert "s3cr3t" not in str(told)


def test_plain_urls_get_asyncpg(postgres_database: PostgresDatabase) -> None:
    async def who(url: sa.URL) -> tuple[object, ...]:
        engine = asyncpg_engine(url)
        try:
            async with engine.connect() as connection:
                sql = "SELECT current_setting('application_name'), current_database()"
                return tuple((await connection.exec_driver_sql(sql)).one())
        finally:
            await engine.dispose()

    plain = parse_url(postgres_database.dsn)
    assert asyncio.run(who(plain)) == ("m-migrate", postgres_database.name)
    named = plain.update_query_dict({"application_name": "mine", "sslmode": "prefer"})
    assert asyncio.run(who(named)) == ("mine", postgres_database.name)


def test_a_password_with_anything_in_it(postgres_database: PostgresDatabase) -> None:
    url = parse_url("postgresql://u:p%40ss%25%2F%3Aw%C3%B6rd@host/db?sslmode=require")
    assert url.password == "p@ss%/:wörd"
    target = asyncpg_url(url)
    assert target.password == url.password
    assert dict(target.query) == {"ssl": "require"}
    assert "p@ss" not in repr(asyncpg_engine(url).url)
    with connected(postgres_database) as connection:
        ddl(connection, "DROP ROLE IF EXISTS odd", "CREATE ROLE odd LOGIN PASSWORD 'p@ss%/:wörd'")

    async def connect() -> object:
        engine = asyncpg_engine(parse_url(postgres_database.dsn).set(username="odd", password=url.password))
        try:
            async with engine.connect() as connection:
                return (await connection.exec_driver_sql("SELECT current_user")).scalar()
        finally:
            await engine.dispose()

    assert asyncio.run(connect()) == "odd"
    with connected(postgres_database) as connection:
        ddl(connection, "DROP ROLE odd")


def test_other_drivers_are_refused() -> None:
    with pytest.raises(e.UnsupportedDatabase, match="psycopg"):
        asyncpg_engine(parse_url("postgresql+psycopg://u:secret@host/db"))
    with pytest.raises(e.UnsupportedDatabase) as failure:
        asyncpg_engine(parse_url("mysql://u:secret@host/db"))
    assert "secret" not in str(failure.value)


def test_ddl_between_two_uses_of_a_statement(postgres_database: PostgresDatabase) -> None:
    """What asyncpg had prepared for the old table would be refused for the new one."""

    async def check() -> None:
        engine = asyncpg_engine(parse_url(postgres_database.url))
        async with engine.connect() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (a int)")
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            assert (await connection.exec_driver_sql("SELECT * FROM t")).one()[0] == 1
            await connection.exec_driver_sql("ALTER TABLE t ALTER COLUMN a TYPE text, ADD COLUMN b int DEFAULT 2")
            assert tuple((await connection.exec_driver_sql("SELECT * FROM t")).one()) == ("1", 2)
            await connection.rollback()
        await engine.dispose()

    asyncio.run(check())
