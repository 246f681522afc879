"""Issue 5, points 1 and 8, on tables with partitions: each lock that a step takes on a partition is declared."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations.cli.document import render_plain
from framework_m_migrations.cli.reports.declarative import plan_report
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import LockLevel, Step
from framework_m_migrations.domain.results import PlanResult
from scripts.waiting import join, wait_until
from tests._postgres import PostgresDatabase
from tests.online.own_values import Site, drawn
from tests.postgres.test_statements import MODES

TABLES = (
    "CREATE SCHEMA attic",
    "CREATE TABLE kind (id int PRIMARY KEY) PARTITION BY RANGE (id)",
    "CREATE TABLE kinds PARTITION OF kind FOR VALUES FROM (0) TO (100)",
    "INSERT INTO kind VALUES (1), (2)",
    "CREATE TABLE item (id int, place int, n int, kind int, title varchar(20)) PARTITION BY LIST (place)",
    "ALTER TABLE item ADD PRIMARY KEY (id, place)",
    "CREATE TABLE here PARTITION OF item FOR VALUES IN (1)",
    "CREATE TABLE attic.there PARTITION OF item FOR VALUES IN (2) PARTITION BY RANGE (id)",
    "CREATE TABLE attic.low PARTITION OF attic.there FOR VALUES FROM (0) TO (5000)",
    "INSERT INTO item SELECT g, 1 + g % 2, g, 1 + g % 2 FROM generate_series(1, 1200) g",
    "CREATE TABLE line (id int PRIMARY KEY, kind int)",
    "INSERT INTO line VALUES (1, 1)",
)
HELD = (
    "SELECT c.relnamespace::regnamespace::text || '.' || c.relname, l.mode FROM pg_locks l "
    "JOIN pg_class c ON c.oid = l.relation WHERE l.pid = {} AND l.granted AND c.relkind IN ('r', 'p') "
    "AND c.relname IN ('kind', 'kinds', 'item', 'here', 'there', 'low', 'line')"
)


@pytest.fixture
def site(emptied_database: PostgresDatabase) -> Iterator[Site]:
    with psycopg.connect(emptied_database.dsn, autocommit=True) as plain:
        made = Site(emptied_database, plain)
        made.send("DROP SCHEMA IF EXISTS attic CASCADE", *TABLES)
        yield made
        made.send("DROP SCHEMA attic CASCADE")


def wanted(*, full: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("kind", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    number = [sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in ("id", "place")]
    more: list[sa.schema.SchemaItem] = [
        drawn("draw", sa.Float, "random()", nullable=False),
        sa.Column("extra", sa.Text),
        sa.CheckConstraint("n > 0", name="ck_n"),
        sa.Index("ix_n", "n"),
    ]
    sa.Table(
        "item",
        metadata,
        *number,
        sa.Column("n", sa.Integer, server_default="5" if full else None, comment="a number" if full else None),
        sa.Column("kind", sa.Integer),
        sa.Column("title", sa.String(40 if full else 20)),
        *(more if full else []),
    )
    sa.Table(
        "line",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer, *([sa.ForeignKey("kind.id", name="fk_kind")] if full else [])),
    )
    if full:
        sa.Table(
            "new_line",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("kind", sa.Integer, sa.ForeignKey("kind.id", name="fk_new")),
        )
    return metadata


def declared(step: Step) -> dict[str, LockLevel]:
    """The locks that a step says it takes, those of mere readers left out."""
    return {
        f"{lock.table.schema or 'public'}.{lock.table.name}": lock.level
        for lock in step.locks
        if lock.level not in {LockLevel.NONE, LockLevel.ACCESS_SHARE}
    }


def strongest(rows: Iterable[Sequence[str]]) -> dict[str, LockLevel]:
    order, found = list(LockLevel), dict[str, LockLevel]()
    for table, mode in rows:
        if order.index(MODES[mode]) > order.index(found.get(table, LockLevel.ACCESS_SHARE)):
            found[table] = MODES[mode]
    return found


@pytest.mark.parametrize("known", [False, True], ids=["first look", "known to the ledger"])
def test_each_step_locks_the_partitions_that_it_declares(site: Site, known: bool) -> None:
    """The transactions of a whole plan, in order; also where the foreign key's target is not compared again."""
    if known:
        site.settle(wanted(full=False))
    engine = sa.create_engine(site.database.sync_url, poolclass=sa.NullPool)
    new = site.manager(wanted(full=True), engine=engine)
    result: PlanResult = new.plan()
    plan = result.plan
    assert {one.judgement.rule for one in plan.withheld} == {rule for rule, _ in site.left_nullable}
    seen: list[dict[str, LockLevel]] = []

    def look(connection: sa.Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(HELD.format("pg_backend_pid()"))
        held = strongest(cursor.fetchall())
        if held and not (seen and seen[-1] == held and set(held.values()) == {LockLevel.ROW_EXCLUSIVE}):
            seen.append(held)  # batches of one step are one

    sa.event.listen(engine, "commit", look)
    new.sync()
    engine.dispose()
    in_transactions = [step for step in plan.steps if not isinstance(step.operations[0], o.CreateIndex) or
                       step.operations[0].only]  # fmt: skip
    expected = [locks for step in in_transactions if (locks := declared(step))]
    assert seen == expected
    parts = {"public.here", "attic.there", "attic.low"}
    column = next(step for step in plan.steps if any(isinstance(one, o.AddColumn) for one in step.operations))
    assert parts < declared(column).keys()
    keys = [step for step in plan.steps if any(isinstance(one, o.AddForeignKey) for one in step.operations)]
    assert [declared(step).keys() >= {"public.kind", "public.kinds"} for step in keys] == [True, True]
    # People are shown it too.
    assert "ACCESS EXCLUSIVE on item, here, attic.there, attic.low" in render_plain(plan_report(result))
    site.settle(wanted(full=True), required=True)


def test_of_many_partitions_people_are_shown_how_many_and_programs_each(site: Site) -> None:
    site.send(*(f"CREATE TABLE many{n} PARTITION OF item FOR VALUES IN ({n + 10})" for n in range(30)))
    result = site.manager(wanted(full=True)).plan()
    told = render_plain(plan_report(result))
    assert "ACCESS EXCLUSIVE on item, here, attic.there, many0 and 30 more" in told
    step = next(one for one in result.to_dict()["steps"] if "AddColumn" in one["operations"])
    site.send("ANALYZE item", "ANALYZE kind", "ANALYZE line")
    sizes = site.manager(wanted(full=True)).plan().sizes
    assert {str(name): size.rows for name, size in sizes.items()} == {"item": 1200, "line": 1, "kind": 2}
    assert {lock["table"] for lock in step["locks"]} >= {"item", *(f"many{n}" for n in range(30))}


def test_a_concurrent_build_locks_one_partition(site: Site) -> None:
    """An old snapshot makes the build of a partition's index wait; meanwhile its locks are those of its step."""
    site.settle(wanted(full=False))
    plan = site.manager(wanted(full=True)).plan().plan
    builds = [step for step in plan.steps if isinstance(step.operations[0], o.CreateIndex) and not step.transactional]
    assert [declared(step) for step in builds] == [
        {"public.here": LockLevel.SHARE_UPDATE_EXCLUSIVE},
        {"attic.low": LockLevel.SHARE_UPDATE_EXCLUSIVE},
    ]
    building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event IS NOT NULL"
    failures: list[BaseException] = []

    def sync() -> None:
        try:
            site.manager(wanted(full=True)).sync()
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            failures.append(error)

    seen: list[dict[str, LockLevel]] = []
    with psycopg.connect(site.database.dsn) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM pg_class")
        thread = threading.Thread(target=sync)
        thread.start()

        def found() -> bool:
            for (pid,) in site.rows(building):
                held = strongest(site.rows(HELD.format(pid)))
                seen.extend([held] if held else [])
            return bool(seen) or not thread.is_alive()

        wait_until(found, what="the locks of a build that waits")
        old.rollback()
        join(thread, what="the sync")
    assert failures == []
    assert seen[0] == declared(builds[0])
