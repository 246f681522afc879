"""The lock behind a proxy that pools transactions: a row that has to be renewed."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.dialects.postgresql.locks import Lease, PostgresqlLock
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import is_pooled
from framework_m_migrations.domain.errors import ConfigurationError, MigrationLocked, MissingPrivilege
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.ports.lock import MigrationLock
from scripts.waiting import next_line, wait_until
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, ddl, run

KEY = 4711
HOLDER = """
import sys, time
import sqlalchemy as sa
from framework_m_migrations.adapters.sql.dialects.postgresql.locks import Lease
engine = sa.create_engine(sys.argv[1])
with engine.connect() as connection:
    assert Lease(connection, 4711, length=5, beat=0.2).try_acquire()
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def released(lock: MigrationLock) -> Iterator[MigrationLock]:
    try:
        yield lock
    finally:
        lock.release()


def soon(lock: MigrationLock) -> bool:
    """True as soon as the lock is had."""
    return wait_until(lock.try_acquire, what="the lease", seen=lock.holder, every=0.05)


@pytest.mark.parametrize("driver", DRIVERS)
def test_leases_exclude_each_other_and_are_renewed(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        with connected(postgres_database) as elsewhere:
            mine, theirs = Lease(connection, KEY, length=3, beat=0.1), Lease(elsewhere, KEY)
            with released(mine), released(theirs):
                assert mine.holder() is None
                assert mine.try_acquire()
                assert mine.try_acquire()
                assert not theirs.try_acquire()
                assert str(theirs.holder()).startswith("process ")
                # One long statement, more than twice as long as the lease.
                connection.exec_driver_sql("SELECT pg_sleep(6.5)")
                connection.rollback()
                assert not theirs.try_acquire()
                assert mine.try_acquire()
                mine.release()
                mine.release()
                assert theirs.holder() is None
                assert theirs.try_acquire()
                assert not mine.try_acquire()

    run(postgres_database, check, driver)


def test_a_lease_and_an_advisory_lock_exclude_each_other(postgres_database: PostgresDatabase) -> None:
    """One migrator comes through the proxy, the other one straight."""
    with connected(postgres_database) as one, connected(postgres_database) as other:
        pooled = PostgresqlLock(one, schema=None, kind="lease")
        direct = PostgresqlLock(other, schema=None)
        with released(pooled), released(direct):
            assert pooled.try_acquire()
            assert not direct.try_acquire()
            assert str(direct.holder()).startswith("process ")
            pooled.release()
            assert direct.try_acquire()
            assert not pooled.try_acquire()
            direct.release()
            assert pooled.try_acquire()


def test_a_killed_holder_blocks_nobody_for_long(postgres_database: PostgresDatabase) -> None:
    command = [sys.executable, "-c", HOLDER, postgres_database.sync_url]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder,
        connected(postgres_database) as connection,
        connected(postgres_database) as third,
    ):
        assert next_line(holder, what="the holder of the lease") == "held\n"
        lease, direct = Lease(connection, KEY), PostgresqlLock(third, schema=None)
        with released(lease), released(direct):
            assert not lease.try_acquire()
            holder.send_signal(signal.SIGKILL)
            assert soon(lease)


def test_a_holder_that_stood_still_is_told_that_it_holds_no_more(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection, connected(postgres_database) as elsewhere:
        sleeper, quick = Lease(connection, KEY, length=0.3, beat=60), Lease(elsewhere, KEY)
        with released(sleeper), released(quick):
            assert sleeper.try_acquire()
            time.sleep(0.4)
            # Overdue, but nobody was interested: it goes on.
            assert sleeper.try_acquire()
            assert soon(quick)
            assert not sleeper.try_acquire()
            sleeper.release()
            assert str(quick.holder()).startswith("process ")
            assert not sleeper.try_acquire()


def test_a_lost_lease_ends_the_work_before_the_next_step(postgres_database: PostgresDatabase) -> None:
    """What another migrator may be doing by now is not done a second time."""
    metadata = sa.MetaData()
    sa.Table("first", metadata, sa.Column("id", sa.Integer, primary_key=True))

    class Lost:
        answers = iter((True, False))

        def try_acquire(self) -> bool:
            return next(self.answers)

        def release(self) -> None: ...

        def holder(self) -> str | None:
            return None

    settings = MigrationSettings(database_url=postgres_database.sync_url, metadata=(metadata,))
    manager = MigrationManager(settings, overrides={"lock": lambda _: Lost()})
    with pytest.raises(MigrationLocked, match="was lost"):
        manager.sync()
    with connected(postgres_database) as connection:
        assert "first" not in sa.inspect(connection).get_table_names()


def test_the_setting_chooses_it_and_status_tells_who_holds_it(postgres_database: PostgresDatabase) -> None:
    metadata = sa.MetaData()
    sa.Table("first", metadata, sa.Column("id", sa.Integer, primary_key=True))
    settings = MigrationSettings(
        database_url=postgres_database.url, metadata=(metadata,), lock="lease", locks=LockOptions(wait=0)
    )
    manager = MigrationManager(settings)
    assert manager.status().lock_holder is None
    with connected(postgres_database) as connection:
        with released(PostgresqlLock(connection, schema=None, kind="lease")) as lock:
            assert lock.try_acquire()
            assert str(manager.status().lock_holder).startswith("process ")
            with pytest.raises(MigrationLocked, match="process "):
                manager.sync()
        with released(PostgresqlLock(connection, schema=None)) as lock:
            assert lock.try_acquire()
            assert str(manager.status().lock_holder).startswith("process ")
        connection.rollback()
        assert manager.sync().steps
        assert connection.exec_driver_sql("SELECT count(*) FROM __schema_lease__").scalar() == 0
    assert not manager.verify().dirty
    with pytest.raises(ConfigurationError, match="lock"):
        MigrationManager(dataclasses.replace(settings, lock="row")).status()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_server_without_a_proxy_is_none(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        assert not is_pooled(connection)
        assert not connection.in_transaction()

    run(postgres_database, check, driver)


def test_a_role_without_the_right_is_told_so(postgres_database: PostgresDatabase) -> None:
    role = f"clerk_{postgres_database.name}"
    with connected(postgres_database) as connection:
        # As it is since 15.
        ddl(connection, f"CREATE ROLE {role} LOGIN PASSWORD 'clerk'", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        url = sa.make_url(postgres_database.sync_url).set(username=role, password="clerk")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as own, pytest.raises(MissingPrivilege, match="schema public"):
            Lease(own, KEY).try_acquire()
        engine.dispose()
        ddl(connection, f"DROP ROLE {role}")


def test_an_engine_with_one_connection_is_told_so(postgres_database: PostgresDatabase) -> None:
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.StaticPool)
    with engine.connect() as connection:
        ddl(connection, "SELECT 1")
        with pytest.raises(ConfigurationError, match="one connection"):
            Lease(connection, KEY).try_acquire()
    engine.dispose()
