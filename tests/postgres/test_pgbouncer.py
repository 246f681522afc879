"""Behind a real PgBouncer in transaction mode, where a session belongs to nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.dialects.postgresql.locks import Lease, PostgresqlLock
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import is_pooled
from scripts.waiting import join
from tests._postgres import PostgresDatabase
from tests.postgres._pgbouncer import pooled
from tests.postgres.support import connected, ddl

pytestmark = pytest.mark.pgbouncer


@pytest.fixture
def engine(postgres_database: PostgresDatabase) -> Iterator[sa.Engine]:
    with pooled(postgres_database) as url:
        # Prepared statements belong to a session too (PgBouncer before 1.21).
        made = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"prepare_threshold": None})
        yield made
        made.dispose()


def test_the_proxy_is_seen_and_a_lease_is_taken(engine: sa.Engine, postgres_database: PostgresDatabase) -> None:
    with engine.connect() as connection, engine.connect() as other, connected(postgres_database) as straight:
        assert is_pooled(connection)
        mine, theirs, direct = (PostgresqlLock(one, schema=None) for one in (connection, other, straight))
        assert mine.try_acquire()
        assert isinstance(mine._chosen, Lease)
        assert not theirs.try_acquire()
        assert not direct.try_acquire()
        mine.release()
        assert direct.try_acquire()
        assert not theirs.try_acquire()
        direct.release()
        assert theirs.try_acquire()
        theirs.release()
        held = (
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        )
        assert straight.exec_driver_sql(held).scalar() == 0


def test_a_crowd_of_migrators_works_once_and_leaves_no_settings(
    engine: sa.Engine, postgres_database: PostgresDatabase
) -> None:
    """An advisory lock would stay with a pooled session; a SET would reach the application."""
    with connected(postgres_database) as straight:
        ddl(
            straight,
            "CREATE TABLE orders (id serial PRIMARY KEY, note text)",
            "INSERT INTO orders (note) SELECT 'n' || n FROM generate_series(1, 500) n",
        )
        metadata = sa.MetaData()
        orders = sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.Text))
        orders.append_column(sa.Column("total", sa.Integer, server_default="0"))
        sa.Index("ix_orders_note", orders.c.note)
        steps: list[int] = []
        errors: list[Exception] = []

        def migrate() -> None:
            try:
                steps.append(MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).sync().steps)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shall show it
                errors.append(error)

        crowd = [threading.Thread(target=migrate) for _ in range(4)]
        for member in crowd:
            member.start()
        for member in crowd:
            join(member, what="a migrator behind PgBouncer")
        assert errors == []
        assert sorted(map(bool, steps)) == [False, False, False, True]
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_orders_note'::regclass"
        assert straight.exec_driver_sql(valid).scalar() is True
    with engine.connect() as one, engine.connect() as two, engine.connect() as three:
        for connection in (one, two, three):
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "0"
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
    assert not MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).verify().dirty
