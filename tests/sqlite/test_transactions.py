"""Transactions on every mode that a sqlite3 connection can be in, on real files."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.domain.errors import DatabaseError, DatabaseReadOnly, LockTimeout
from framework_m_migrations.domain.options import Limits
from tests.sqlite._helpers import DIALECT, connected, plain

type With = Callable[[Callable[[sa.Connection], Any]], Any]
"""Runs a function with a connection."""


def _say_begin(engine: sa.Engine, words: str) -> None:
    """The recipe of SQLAlchemy's documentation: no transactions by the driver, BEGIN by an event."""

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _(connection: sa.Connection) -> None:
        connection.exec_driver_sql(words)


MODES: dict[str, dict[str, Any]] = {
    "legacy": {},
    "no isolation level": {"connect_args": {"isolation_level": None}},
    "autocommit false": {"connect_args": {"autocommit": False}},
    "autocommit true": {"connect_args": {"autocommit": True}},
    "isolation AUTOCOMMIT": {"isolation_level": "AUTOCOMMIT"},
    "event BEGIN": {"event": "BEGIN"},
    "event BEGIN IMMEDIATE": {"event": "BEGIN IMMEDIATE"},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    plain(path, "CREATE TABLE base (a)")
    return path


@pytest.fixture(params=[(driver, mode) for driver in ("sqlite3", "aiosqlite") for mode in MODES], ids=str)
def use(request: pytest.FixtureRequest, path: Path) -> With:
    driver, mode = request.param
    options = dict(MODES[mode])
    event = options.pop("event", None)

    def run(function: Callable[[sa.Connection], Any]) -> Any:
        if driver == "sqlite3":
            engine = sa.create_engine(f"sqlite:///{path}", **options)
            if event:
                _say_begin(engine, event)
            try:
                with engine.connect() as connection:
                    return function(connection)
            finally:
                engine.dispose()

        async def main() -> Any:
            engine = create_async_engine(f"sqlite+aiosqlite:///{path}", **options)
            if event:
                _say_begin(engine.sync_engine, event)
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(function)
            finally:
                await engine.dispose()

        return asyncio.run(main())

    return run


class Stop(Exception):
    """Ends a transaction."""


def stop() -> None:
    raise Stop


def stopped(connection: sa.Connection, *statements: str) -> None:
    """Run statements in a transaction that an exception ends."""
    with suppress(Stop), DIALECT.transaction(connection, Limits(1)):
        for sql in statements:
            connection.exec_driver_sql(sql)
        stop()


def names(path: Path) -> set[str]:
    return {row[0] for row in plain(path, "SELECT name FROM sqlite_master")}


def test_a_transaction_commits(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> None:
        with DIALECT.transaction(connection, Limits(1)):
            connection.exec_driver_sql("CREATE TABLE t (a)")
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert not connection.in_transaction()
        assert plain(path, "SELECT a FROM t") == [(1,)]

    use(work)
    assert plain(path, "SELECT a FROM t") == [(1,)]


def test_ddl_and_rows_roll_back_together(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> None:
        stopped(connection, "INSERT INTO base VALUES (1)", "CREATE TABLE t (a)", "ALTER TABLE base ADD COLUMN b")
        assert not connection.in_transaction()
        assert connection.exec_driver_sql("SELECT * FROM base").keys() == ["a"]

    use(work)
    assert (names(path), plain(path, "SELECT * FROM base")) == ({"base"}, [])


def test_a_statement_that_fails_rolls_everything_back(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> None:
        with pytest.raises(sa.exc.OperationalError):
            stopped(connection, "CREATE TABLE t (a)", "CREATE TABLE t (a)")

    use(work)
    assert names(path) == {"base"}


def test_many_transactions_follow_each_other(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> None:
        for number in range(5):
            with DIALECT.transaction(connection, Limits(1)):
                connection.exec_driver_sql(f"CREATE TABLE t{number} (a)")
            connection.exec_driver_sql("SELECT * FROM base").fetchall()
            connection.rollback()

    use(work)
    assert names(path) == {"base", *(f"t{number}" for number in range(5))}


def test_inside_the_callers_transaction_it_is_a_savepoint(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> bool:
        with connection.begin() as outer:
            connection.exec_driver_sql("INSERT INTO base VALUES (1)")
            with DIALECT.transaction(connection, Limits(1)):
                connection.exec_driver_sql("CREATE TABLE kept (a)")
            stopped(connection, "CREATE TABLE gone (a)")
            outer.commit()
        return True

    assert use(work)
    assert (names(path), plain(path, "SELECT * FROM base")) == ({"base", "kept"}, [(1,)])


def test_what_the_caller_rolls_back_is_gone(path: Path) -> None:
    """Not where the driver commits by itself: there the caller has no transaction to roll back."""
    for mode in ("legacy", "no isolation level", "autocommit false"):
        with connected(path, **MODES[mode]) as connection, connection.begin() as outer:
            with DIALECT.transaction(connection, Limits(1)):
                connection.exec_driver_sql("CREATE TABLE gone (a)")
            outer.rollback()
        assert names(path) == {"base"}, mode


def test_settings_are_as_before(use: With) -> None:
    def settings(connection: sa.Connection) -> tuple[object, ...]:
        values = tuple(
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("busy_timeout", "foreign_keys", "user_version", "journal_mode")
        )
        connection.rollback()
        return values

    def work(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1234")
        connection.exec_driver_sql("PRAGMA user_version = 7")
        connection.commit()
        before = settings(connection)
        with DIALECT.transaction(connection, Limits(3)):
            connection.exec_driver_sql("CREATE TABLE t (a)")
        assert settings(connection) == before
        assert before[0] == 1234
        assert before[2] == 7

    use(work)


@pytest.mark.slow
def test_a_writer_that_keeps_the_lock_is_a_lock_timeout_after_the_time_given(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> None:
        for seconds in (0, 0.7):
            started = time.monotonic()
            with pytest.raises(LockTimeout), DIALECT.transaction(connection, Limits(seconds)):
                pytest.fail("the body must not run")
            assert time.monotonic() - started >= seconds
            assert not connection.in_transaction()

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        use(work)
        other.execute("ROLLBACK")

    def again(connection: sa.Connection) -> None:
        with DIALECT.transaction(connection, Limits(1)):
            connection.exec_driver_sql("CREATE TABLE t (a)")

    use(again)
    assert names(path) == {"base", "t"}


def test_a_reader_that_holds_up_the_commit_is_a_lock_timeout_and_nothing_stays(use: With, path: Path) -> None:
    plain(path, "INSERT INTO base VALUES (1), (2)")

    def work(connection: sa.Connection) -> None:
        with pytest.raises(LockTimeout), DIALECT.transaction(connection, Limits(0.2)):
            connection.exec_driver_sql("CREATE TABLE t (a)")
        assert not connection.in_transaction()

    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        cursor = reader.execute("SELECT * FROM base")
        cursor.fetchone()
        use(work)
    assert names(path) == {"base"}


def test_a_read_only_database_is_told(path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with engine.connect() as connection, pytest.raises(DatabaseReadOnly):
        stopped(connection, "CREATE TABLE t (a)")
    engine.dispose()


def test_autocommit_leaves_each_statement_to_itself(use: With, path: Path) -> None:
    def work(connection: sa.Connection) -> None:
        with DIALECT.autocommit(connection):
            connection.exec_driver_sql("CREATE TABLE t (a)")
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert not connection.in_transaction()
        assert plain(path, "SELECT * FROM t") == [(1,)]
        refused = pytest.raises(DatabaseError, match="outside any transaction")
        with connection.begin(), refused, DIALECT.autocommit(connection):
            pytest.fail("the body must not run")

    use(work)
