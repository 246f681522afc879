"""Issue 5, point 2, on tables with partitions: nothing half done, nothing slow under a lock, and the plan says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.plan import LockLevel
from tests._postgres import PostgresDatabase
from tests.online.own_values import NOTES, Site, drawn, stopped_before
from tests.support.profile import NIGHTLY

LONG = "p" * 60
TABLES = (
    "CREATE TABLE kind (id int PRIMARY KEY)",
    "INSERT INTO kind VALUES (1), (2)",
    "CREATE TABLE item (id int, place int, n int, kind int, PRIMARY KEY (id, place)) PARTITION BY LIST (place)",
    "CREATE TABLE here PARTITION OF item FOR VALUES IN (1)",
    "CREATE TABLE there PARTITION OF item FOR VALUES IN (2) PARTITION BY RANGE (id)",
    'CREATE TABLE "Low" PARTITION OF there FOR VALUES FROM (0) TO (500)',
    f"CREATE TABLE {LONG} PARTITION OF there FOR VALUES FROM (500) TO (5000)",
    "INSERT INTO item SELECT g, 1 + g % 2, g, 1 + g % 2 FROM generate_series(1, 1200) g",
)
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
FILES = "SELECT relname::text, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


@pytest.fixture
def site(emptied_database: PostgresDatabase) -> Iterator[Site]:
    with psycopg.connect(emptied_database.dsn, autocommit=True) as plain:
        made = Site(emptied_database, plain)
        made.send(*TABLES)
        yield made


def parted(*more: sa.schema.SchemaItem, key: bool = False) -> sa.MetaData:
    metadata = sa.MetaData()
    number = [sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in ("id", "place")]
    target = [sa.ForeignKey("kind.id", name="fk_kind")] if key else []
    sa.Table("item", metadata, *number, sa.Column("n", sa.Integer), sa.Column("kind", sa.Integer, *target), *more)
    sa.Table("kind", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    return metadata


def wide() -> sa.MetaData:
    return parted(
        drawn("draw", sa.Float, "random()"),
        sa.Index("ix_n", "n"),
        sa.Index("ux_all", "id", "place", "n", unique=True),
        sa.CheckConstraint("n > 0", name="ck_n"),
    )


def test_everything_that_can_be_had_online_is(site: Site) -> None:
    new = site.manager(wide())
    plan = new.plan().plan
    assert plan.withheld == ()
    kinds = [type(one) for step in plan.steps for one in step.operations]
    assert (kinds.count(o.CreateIndex), kinds.count(o.AttachIndex)) == (10, 8)
    for step in plan.steps:
        # What reads rows does so without a lock that stops a writer.
        levels = {lock.level for lock in step.locks}
        assert not step.scans or levels <= {LockLevel.SHARE_UPDATE_EXCLUSIVE, LockLevel.ROW_EXCLUSIVE}, step
    files = dict(site.rows(FILES))
    site.settle(wide())
    assert files.items() <= dict(site.rows(FILES)).items()
    assert site.rows(INVALID) == []
    assert site.rows("SELECT count(*), count(DISTINCT draw) FROM item") == [(1200, 1200)]
    assert site.rows("SELECT count(*) FROM pg_partition_tree('ix_n')") == [(5,)]
    # Partitions are nobody's tables: what the ledger does not know of, --allow-drop never offers.
    assert sorted(site.rows("SELECT table_name FROM __schema_objects__")) == [("item",), ("kind",)]
    assert site.manager(wide()).sync(allow_drop=True).dropped == ()


def test_stopped_at_any_change_an_index_is_completed(site: Site) -> None:
    metadata, number = parted(sa.Index("ix_n", "n")), 0
    kept = dict(site.rows(FILES))
    while True:
        number += 1 if NIGHTLY else 3
        assert number < 1000, "every change is stopped before, however late it is"
        site.send("DROP INDEX IF EXISTS ix_n")
        for (index,) in site.rows(
            "SELECT relname::text FROM pg_class WHERE relname LIKE '%ix_n%' AND relkind IN ('i', 'I')"
        ):
            with contextlib.suppress(psycopg.errors.UndefinedObject):
                site.send(f'DROP INDEX "{index}"')
        for (table,) in site.rows("SELECT relname::text FROM pg_class WHERE relname LIKE '\\_\\_schema%\\_\\_'"):
            site.send(f'DROP TABLE "{table}"')
        if not stopped_before(site, number, metadata):
            break
        assert not stopped_before(site, 10_000, metadata)
        assert site.rows(INVALID) == []
        assert site.rows("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ix_n'::regclass") == [(2,)]
    assert number > 12
    site.settle(metadata)
    assert dict(site.rows(FILES)).items() >= kept.items()


def test_a_part_that_a_killed_build_left_invalid_is_rebuilt(site: Site) -> None:
    metadata = parted(sa.Index("ix_n", "n"))
    site.send("CREATE INDEX ix_n ON ONLY item (n)", "CREATE INDEX here_ix_n ON here (n)")
    site.send("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'here_ix_n'::regclass")
    [change] = site.manager(metadata).plan().plan.changes
    assert change.judgement.rule == "index-invalid"
    assert [type(one) for one in change.operations][:2] == [o.RebuildIndex, o.AttachIndex]
    site.settle(metadata)
    assert site.rows(INVALID) == []


def test_what_needs_a_long_lock_is_left_to_who_asks_for_it(site: Site) -> None:
    """Nothing of it is begun: no index without its constraint, no constraint without its rows."""
    metadata = parted(sa.UniqueConstraint("id", "place", "n", name="uq_all"))
    result = site.manager(metadata).sync()
    assert [(one.judgement.rule, one.judgement.handled_by) for one in result.withheld] == [("partitioned", "create")]
    assert site.rows("SELECT to_regclass('uq_all')") == [(None,)]
    site.manager(metadata, online=False).sync()
    assert site.manager(metadata).plan(force=True).plan.is_empty


def test_a_foreign_key_of_a_partitioned_table(site: Site) -> None:
    metadata = parted(key=True)
    result = site.manager(metadata).sync()
    if site.plain.info.server_version < 180000:
        assert [one.judgement.rule for one in result.withheld] == ["partitioned"]
        site.manager(metadata, online=False).sync()
    else:
        assert any("NOT VALID" in sql for sql in result.plan.sql) or result.withheld == ()
    assert site.manager(metadata).plan(force=True).plan.is_empty
    valid = "SELECT bool_and(convalidated) FROM pg_constraint WHERE conname LIKE 'fk_kind%' AND contype = 'f'"
    assert site.rows(valid) == [(True,)]


def test_the_locks_of_all_partitions_are_waited_for_together(site: Site) -> None:
    """A report on one partition: the parent and the others are not kept locked until it ends."""
    quick = LockOptions(lock_timeout=0.2, retries=1)
    with psycopg.connect(site.database.dsn) as other:
        other.execute(f"SELECT FROM {LONG}".encode())
        with pytest.raises(LockTimeout) as caught:
            site.manager(parted(sa.Column("more", sa.Text)), locks=quick).sync()
        assert caught.value.details["sessions"]
        other.rollback()
        # A writer, for the lock of ON ONLY.
        other.execute("UPDATE item SET n = n WHERE id = 1")
        with pytest.raises(LockTimeout):
            site.manager(parted(sa.Index("ix_n", "n")), locks=quick).sync()
        held = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert site.rows(held) == [(0,)]
        assert site.rows("SELECT to_regclass('ix_n')") == [(None,)]
    site.settle(parted(sa.Column("more", sa.Text), sa.Index("ix_n", "n")))
    assert site.rows(NOTES) == []
