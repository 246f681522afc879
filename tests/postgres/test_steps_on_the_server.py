"""Whole plans on tables with rows: the locks they declare, the files they leave, the builds that are killed."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, get_args

import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.plan import LockLevel
from scripts.waiting import join, wait_until
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl
from tests.postgres.test_own_values_locks import STAGED
from tests.postgres.test_statements import DESTRUCTIVE, MODES, ONLINE, OPERATIONS

HELD = (
    "SELECT c.relname::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
    "WHERE l.pid = pg_backend_pid() AND l.granted AND c.relname IN ('kind', 'item')"
)


def before(metadata: sa.MetaData) -> None:
    sa.Table("kind", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Integer),
        sa.Column("code", sa.String(10)),
        sa.Column("qty", sa.Integer),
        sa.Column("tag", sa.Enum("a", name="tags")),
    )


def after(metadata: sa.MetaData) -> None:
    sa.Table("kind", metadata, sa.Column("id", sa.Integer, primary_key=True), comment="kinds")
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Integer, sa.ForeignKey("kind.id", name="fk_kind")),
        sa.Column("code", sa.String(20), server_default="x"),
        sa.Column("qty", sa.Integer),
        sa.Column("tag", sa.Enum("a", "b", name="tags")),
        sa.Column("extra", sa.Text),
        sa.Column("flag", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.CheckConstraint("qty > 0", name="ck_qty"),
        sa.UniqueConstraint("code", name="uq_code"),
        sa.Index("ix_kind", "kind"),
    )
    sa.Table(
        "line", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("item", sa.ForeignKey("item.id"))
    )


def manager(database: PostgresDatabase, define: Any, engine: sa.Engine | None = None) -> MigrationManager:
    metadata = sa.MetaData()
    define(metadata)
    return MigrationManager(MigrationSettings(database.sync_url, metadata=(metadata,)), engine=engine)


def filled(database: PostgresDatabase) -> None:
    manager(database, before).sync()
    with connected(database) as connection:
        ddl(
            connection,
            "INSERT INTO kind VALUES (1)",
            "INSERT INTO item SELECT n, 1, 'code' || n, n, 'a' FROM generate_series(1, 500) n",
        )


def test_every_kind_of_operation_has_its_locks_observed() -> None:
    observed = {type(one) for one in (*OPERATIONS.values(), *ONLINE.values(), *STAGED.values())}
    assert set(get_args(o.AdditiveOperation)) - observed == {o.AddEnumValue, o.CreateObject}, "lock no table"
    assert {type(operation) for operation, _ in DESTRUCTIVE.values()} == set(get_args(o.DestructiveOperation))


def test_each_step_of_a_plan_takes_the_locks_that_it_declares_and_rewrites_nothing(
    postgres_database: PostgresDatabase,
) -> None:
    filled(postgres_database)
    files = "SELECT relname::text, relfilenode FROM pg_class WHERE relname IN ('item', 'item_pkey', 'kind') ORDER BY 1"
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)
    seen: list[dict[str, LockLevel]] = []
    order = list(LockLevel)

    def look(connection: sa.Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(HELD)
        held: dict[str, LockLevel] = {}
        for table, mode in cursor.fetchall():
            level = MODES[mode]
            if order.index(level) > order.index(held.get(table, LockLevel.ACCESS_SHARE)):
                held[table] = level
        if held:
            seen.append(held)

    new = manager(postgres_database, after, engine)
    plan = new.plan().plan
    assert plan.withheld == ()
    with connected(postgres_database) as connection:
        was = connection.exec_driver_sql(files).all()
        connection.rollback()
        sa.event.listen(engine, "commit", look)
        new.sync()
        sa.event.remove(engine, "commit", look)
        assert connection.exec_driver_sql(files).all() == was
    declared = [
        {lock.table.name: lock.level for lock in step.locks} for step in plan.steps if step.transactional and step.locks
    ]
    assert seen == declared
    assert {type(one) for step in plan.steps for one in step.operations} >= {
        o.AddColumn, o.AddEnumValue, o.AlterType, o.SetDefault, o.SetComment, o.CreateIndex, o.AddUnique, o.AddCheck,
        o.AddForeignKey, o.ValidateConstraint, o.CreateTable,
    }  # fmt: skip
    assert not any(step.rewrites for step in plan.steps)
    assert new.plan(force=True).plan.is_empty
    engine.dispose()


def _pid(connection: sa.Connection, statement: str) -> object:
    found = connection.exec_driver_sql(statement).scalar()
    connection.rollback()
    return found


def test_an_index_whose_build_was_killed_is_repaired_by_the_next_sync(postgres_database: PostgresDatabase) -> None:
    """An old snapshot elsewhere makes the build wait; there it is killed, and later delays one that ends well."""
    filled(postgres_database)

    def indexed(metadata: sa.MetaData) -> None:
        before(metadata)
        sa.Index("ix_code", metadata.tables["item"].c.code)

    building = (
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%%' AND wait_event_type = 'Lock'"
    )
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_code')"
    with connected(postgres_database) as old, connected(postgres_database) as look:
        failures: list[MigrationError] = []

        def sync() -> None:
            try:
                manager(postgres_database, indexed).sync()
            except MigrationError as error:
                failures.append(error)

        for kill in (True, False):
            old.exec_driver_sql("UPDATE item SET qty = qty WHERE id = 1")
            thread = threading.Thread(target=sync)
            thread.start()
            pattern = building if kill else building.replace("CREATE INDEX", "%%INDEX")
            pid = wait_until(partial(_pid, look, pattern), what="a build that waits for the old snapshot")
            if kill:
                ddl(look, f"SELECT pg_terminate_backend({pid})")
                join(thread, what="the killed sync")
                assert len(failures) == 1
                assert look.exec_driver_sql(valid).all() == [(False,)]
                look.rollback()
                rules = [one.judgement.rule for one in manager(postgres_database, indexed).plan().plan.changes]
                assert rules == ["index-invalid"]
            old.commit()
            join(thread, what="the sync")
        assert len(failures) == 1
        assert look.exec_driver_sql(valid).all() == [(True,)]
        leftovers = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        assert look.exec_driver_sql(leftovers).scalar() == 0
    assert manager(postgres_database, indexed).plan(force=True).plan.is_empty
