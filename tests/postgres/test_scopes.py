"""Transactions, savepoints and autocommit: what they keep, what they undo, and the settings they leave."""

from __future__ import annotations

import asyncio
import json

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql.blockers import blocking_sessions
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.adapters.sql.scopes import ConnectionScopes
from framework_m_migrations.domain.errors import ConfigurationError, ConnectionFailed, LockTimeout
from framework_m_migrations.domain.operations import AddColumn
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import Column, ColumnType, TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, ddl, end_session, executor, inspector, run

DIALECT = PostgresqlDialect()


def setting(connection: sa.Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {name}").scalar())


def names(connection: sa.Connection) -> set[str]:
    found = {name.name for name in inspector(connection).read().names}
    connection.rollback()
    return found


class Refused(Exception):
    pass


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT", "SERIALIZABLE"])
def test_a_transaction_takes_ddl_along(postgres_database: PostgresDatabase, driver: str, isolation: str | None) -> None:
    options = {} if isolation is None else {"isolation_level": isolation}

    def check(connection: sa.Connection) -> None:
        with DIALECT.transaction(connection, Limits(0.25)):
            assert setting(connection, "lock_timeout") == "250ms"
            assert setting(connection, "statement_timeout") == "0"
            connection.exec_driver_sql("CREATE TABLE kept (id int)")
        assert not connection.in_transaction()
        with pytest.raises(Refused), DIALECT.transaction(connection, Limits(10)):  # noqa: PT012
            assert setting(connection, "lock_timeout") == "10s"
            connection.exec_driver_sql("CREATE TABLE undone (id int)")
            connection.exec_driver_sql("DROP TABLE kept")
            raise Refused
        assert names(connection) == {"kept"}
        assert setting(connection, "lock_timeout") == "0"
        assert is_autocommit(connection) is (isolation == "AUTOCOMMIT")

    run(postgres_database, check, driver, **options)


def is_autocommit(connection: sa.Connection) -> bool:
    return bool(connection.dialect.detect_autocommit_setting(connection.connection.dbapi_connection))  # type: ignore[arg-type]


@pytest.mark.parametrize("driver", DRIVERS)
def test_within_the_callers_transaction_it_is_a_savepoint(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET statement_timeout = '9s'")
        connection.commit()
        connection.exec_driver_sql("CREATE TABLE callers (id int)")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '3s'")
        with DIALECT.transaction(connection, Limits(0.5)):
            assert setting(connection, "lock_timeout") == "500ms"
            assert setting(connection, "statement_timeout") == "0"
            connection.exec_driver_sql("CREATE TABLE inner_one (id int)")
        assert (setting(connection, "lock_timeout"), setting(connection, "statement_timeout")) == ("3s", "9s")
        with pytest.raises(Refused), DIALECT.transaction(connection, Limits(0.5)):  # noqa: PT012
            connection.exec_driver_sql("CREATE TABLE inner_two (id int)")
            raise Refused
        assert (setting(connection, "lock_timeout"), setting(connection, "statement_timeout")) == ("3s", "9s")
        assert connection.in_transaction()
        connection.commit()
        assert names(connection) == {"callers", "inner_one"}
        with DIALECT.transaction(connection, Limits(0.5)):
            pass
        assert (setting(connection, "lock_timeout"), setting(connection, "statement_timeout")) == ("0", "9s")

    run(postgres_database, check, driver)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT"])
def test_autocommit_and_back(postgres_database: PostgresDatabase, driver: str, isolation: str | None) -> None:
    options = {} if isolation is None else {"isolation_level": isolation}

    def check(connection: sa.Connection) -> None:
        ddl(connection, "CREATE TABLE t (id int)", "SET lock_timeout = '7s'", "SET statement_timeout = '8s'")
        with DIALECT.autocommit(connection):
            assert (setting(connection, "lock_timeout"), setting(connection, "statement_timeout")) == ("0", "0")
            connection.exec_driver_sql("CREATE INDEX CONCURRENTLY ix ON t (id)")
        with pytest.raises(sa.exc.DBAPIError), DIALECT.autocommit(connection):  # noqa: PT012
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY no ON missing (id)")
        assert not connection.in_transaction()
        assert (setting(connection, "lock_timeout"), setting(connection, "statement_timeout")) == ("7s", "8s")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1
        connection.rollback()
        assert is_autocommit(connection) is (isolation == "AUTOCOMMIT")
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == (2 if isolation else 1)

    run(postgres_database, check, driver, **options)


def test_autocommit_is_refused_within_a_transaction(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        connection.exec_driver_sql("CREATE TABLE t (id int)")
        with pytest.raises(ConfigurationError, match="in a transaction"), DIALECT.autocommit(connection):
            pass
        connection.commit()
        assert names(connection) == {"t"}


def test_a_begun_autocommit_connection_is_refused(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database, isolation_level="AUTOCOMMIT") as connection, connection.begin():
        with pytest.raises(ConfigurationError, match="AUTOCOMMIT"), DIALECT.transaction(connection, Limits(10)):
            pass
        # Probing still works there, only without its net.
        assert inspector(connection).ask([]) == {}


def test_a_lock_timeout_names_its_end_and_the_blockers(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection, connected(postgres_database) as other:
        ddl(connection, "CREATE TABLE busy (id int)", "CREATE TABLE idle (id int)")
        other.exec_driver_sql("SET application_name = 'night job'")
        other.exec_driver_sql("INSERT INTO busy VALUES (1)")
        with pytest.raises(LockTimeout) as failure, DIALECT.transaction(connection, Limits(0.2)):
            connection.exec_driver_sql("ALTER TABLE busy ADD COLUMN x int")
        assert failure.value.code == "M210"
        assert not connection.in_transaction()
        [blocker] = blocking_sessions(connection, [TableName("busy")])
        assert (blocker.application, blocker.state, blocker.tables) == ("night job", "idle in transaction", ("busy",))
        assert "RowExclusiveLock" in blocker.modes
        assert blocker.transaction_age is not None
        assert "night job" in str(blocker)
        assert blocker.query == "INSERT INTO busy VALUES (?)"
        assert blocker.query_age is not None
        assert blocking_sessions(connection, [TableName("idle")]) == ()
        assert [b.pid for b in blocking_sessions(connection)] == [blocker.pid]
        assert not connection.in_transaction()
        # Through the executor the error says so itself.
        add = AddColumn(TableName("busy"), Column("x", ColumnType("integer", "integer")))
        with pytest.raises(LockTimeout, match="night job") as told, DIALECT.transaction(connection, Limits(0.2)):
            executor(connection).apply(add)
        assert told.value.details["sessions"][0]["pid"] == blocker.pid
        json.dumps(told.value.to_dict())
        other.rollback()
        with DIALECT.transaction(connection, Limits(0.2)):
            executor(connection).apply(add)


def test_a_broken_connection_hides_no_error(postgres_database: PostgresDatabase) -> None:
    for scope in (DIALECT.autocommit, lambda c: DIALECT.transaction(c, Limits(1))):
        with connected(postgres_database) as connection, connected(postgres_database) as other:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            connection.rollback()
            with pytest.raises(sa.exc.DBAPIError) as failure, scope(connection):  # noqa: PT012
                end_session(other, pid)
                connection.exec_driver_sql("SELECT 1")
            translated = DIALECT.translate(failure.value)
            assert translated is not None
            assert translated.code == "M201"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_reading_tells_of_a_connection_that_was_lost_in_the_last_one(
    postgres_database: PostgresDatabase, driver: str
) -> None:
    """Found by the backends ended at night, where it ended in a traceback."""

    def check(connection: sa.Connection) -> None:
        scopes = ConnectionScopes(DIALECT, connection)
        with connected(postgres_database) as other, scopes.reading():
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            end_session(other, pid)
        with pytest.raises(ConnectionFailed), scopes.reading():
            connection.exec_driver_sql("SELECT 1")

    run(postgres_database, check, driver)


def test_a_caller_of_asyncpg_may_have_begun(postgres_database: PostgresDatabase) -> None:
    """An AsyncConnection in the caller's own begin() block: all goes into its transaction."""

    async def check() -> None:
        engine = create_async_engine(postgres_database.url, poolclass=sa.NullPool)

        def work(connection: sa.Connection) -> None:
            with DIALECT.transaction(connection, Limits(1)):
                connection.exec_driver_sql("CREATE TABLE t (id int)")

        async with engine.connect() as connection:
            transaction = await connection.begin()
            await connection.run_sync(work)
            await transaction.rollback()
            assert await connection.run_sync(names) == set()
        await engine.dispose()

    asyncio.run(check())


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_was_sent_together_often_is_sent_again_and_the_engine_keeps_its_dialect(
    postgres_database: PostgresDatabase, driver: str
) -> None:
    """psycopg prepares a text that it has seen five times, and one that is prepared is one statement alone."""

    def check(connection: sa.Connection) -> None:
        scopes, dialect = ConnectionScopes(DIALECT, connection), connection.dialect
        for _ in range(8):
            with scopes.transaction(Limits(10)):
                send_text(connection, DIALECT, "CREATE TABLE IF NOT EXISTS often (n int)")
                send_text(connection, DIALECT, "INSERT INTO often VALUES (1)")
        assert connection.dialect is dialect is connection.engine.dialect
        assert not tuple(dialect.dispatch.do_execute_no_params)
        with scopes.reading():
            assert connection.exec_driver_sql("SELECT count(*) FROM often").scalar_one() == 8

    run(postgres_database, check, driver)
