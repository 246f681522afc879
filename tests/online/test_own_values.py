"""Issue 5, point 2: a default that is another for each row, on a table with rows, by sync itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.cli.document import render_plain
from framework_m_migrations.cli.reports.declarative import plan_report, plan_sql
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.events import BackfillMoved, StepRetried
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.plan import LockLevel, Step
from tests._postgres import PostgresDatabase
from tests.online.own_values import BEFORE, FILES, NOTES, ROWS, Heard, Site, drawn, item, three
from tests.postgres.test_statements import MODES
from tests.support.statements import recorded

HELD = (
    "SELECT l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
    "WHERE l.pid = pg_backend_pid() AND l.granted AND c.relname = 'item'"
)


@pytest.fixture
def site(emptied_database: PostgresDatabase) -> Iterator[Site]:
    with psycopg.connect(emptied_database.dsn, autocommit=True) as plain:
        made = Site(emptied_database, plain)
        made.send(BEFORE, ROWS)
        yield made


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_each_row_gets_its_own_value_in_batches(site: Site, driver: str) -> None:
    site.send("ANALYZE item")
    heard, files = Heard(), site.rows(FILES)
    new = site.manager(three(index=True), heard, driver=driver)
    changes = new.plan().to_dict()["changes"]
    assert {one["rule"] for one in changes if not one["withheld"]} == {"column-added", "unique-added", "index-added"}
    assert site.open_(three(index=True)) == site.left_nullable
    result = new.sync()
    assert {(one.judgement.rule, one.judgement.handled_by) for one in result.withheld} == site.left_nullable
    count = "SELECT count(*), count(DISTINCT token), count(DISTINCT draw), count(DISTINCT seen) FROM item"
    assert site.rows(count) == [(2500, 2500, 2500, 2500)]
    assert site.rows(FILES) == files, "no row was copied into another file"
    moved = [event.done for event in heard if isinstance(event, BackfillMoved)]
    assert moved[:3] == [1000, 2000, 2500]
    # How much is left is the server's estimate.
    assert [event.left for event in heard if isinstance(event, BackfillMoved)][:3] == [1500, 500, 0]
    assert new.plan(force=True).plan.steps == ()
    assert site.open_(three(index=True)) == site.left_nullable
    assert site.rows(NOTES) == []
    site.send("INSERT INTO item (id) VALUES (9001)")
    assert site.rows("SELECT count(token), count(draw), count(seen) FROM item WHERE id = 9001") == [(1, 1, 1)]
    required = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'item'::regclass AND attnum > 2 AND attnotnull"
    assert site.rows(f"{required} ORDER BY 1") == ([] if site.left_nullable else [("seen",), ("token",)])


def test_each_step_takes_the_locks_that_it_declares_and_destroys_nothing(site: Site) -> None:
    engine = sa.create_engine(site.database.sync_url, poolclass=sa.NullPool)
    order, seen = list(LockLevel), list[LockLevel]()

    def look(connection: sa.Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(HELD)
        levels = [MODES[mode] for (mode,) in cursor.fetchall()]
        if levels and max(map(order.index, levels)) > order.index(LockLevel.ROW_SHARE):
            seen.append(max(levels, key=order.index))

    new = site.manager(three(), engine=engine)
    steps = new.plan().plan.steps
    kinds = [type(step.operations[0]) for step in steps]
    filled: list[type] = [o.AddColumn, o.FillColumn, o.FillColumn, o.FillColumn]
    required: list[type] = [o.SetNotNull, o.FillColumn, o.FillColumn, o.ValidateNotNull, o.ValidateNotNull]
    assert kinds == (filled if site.left_nullable else filled + required)
    batches = [None, 1000, 1000, 1000, None, 1000, 1000, None, None]
    assert [step.batch for step in steps] == batches[: len(kinds)]
    assert not any(step.rewrites for step in steps)
    # What reads the rows never does so under the lock that stops everybody.
    assert not any(step.scans and level is LockLevel.ACCESS_EXCLUSIVE for step in steps for level in levels_of(step))
    assert any("triggers" in hazard for step in steps for hazard in step.hazards)
    sa.event.listen(engine, "commit", look)
    with recorded(engine) as statements:
        new.sync()
    assert statements.destructive == []
    declared = [level for step in steps for level in levels_of(step)]
    assert [level for level, _ in itertools.groupby(seen)] == [level for level, _ in itertools.groupby(declared)]
    validated = set() if site.left_nullable else {LockLevel.SHARE_UPDATE_EXCLUSIVE}
    assert {LockLevel.ACCESS_EXCLUSIVE, LockLevel.ROW_EXCLUSIVE} | validated == set(seen)
    engine.dispose()


def test_the_plan_says_it_in_words_and_as_a_script(site: Site) -> None:
    site.send("ANALYZE item")
    made = site.manager(three()).plan()
    told = render_plain(plan_report(made))
    [(size,)] = site.rows("SELECT pg_total_relation_size('item')")
    assert made.to_dict()["sizes"] == {"item": {"rows": 2500, "bytes": size}}
    assert f"about 2,500  {size // 1024} kB" in told
    assert "a transaction for every 1,000 rows; locks ROW EXCLUSIVE on item; reads the table's rows" in told
    assert ("one transaction; locks SHARE UPDATE EXCLUSIVE on item" in told) == (not site.left_nullable)
    assert "triggers fire for each row" in told
    # The script does the same at once: pasted into psql it ends with the same table.
    script = [line for line in plan_sql(made).splitlines() if not line.startswith("--")]
    site.send(*script)
    assert site.rows("SELECT count(DISTINCT token), count(draw), count(seen) FROM item") == [(2500, 2500, 2500)]
    assert site.manager(three()).plan(force=True).plan.steps == ()
    assert site.open_(three()) == site.left_nullable


def levels_of(step: Step) -> list[LockLevel]:
    return [lock.level for lock in step.locks if lock.table.name == "item"]


def test_what_the_application_writes_meanwhile_stays(site: Site) -> None:
    """Before the cursor and behind it, with values and without, and NULL where NULL is allowed."""
    heard, wrote = Heard(), list[int]()
    own = "'00000000-0000-0000-0000-00000000000{}'"

    def work(event: BackfillMoved) -> None:
        wrote.append(event.done)
        if wrote.count(1000) != 2 or event.done != 1000:
            return  # the second column's first batch
        site.send(
            "UPDATE item SET draw = 7 WHERE id IN (5, 2400)",
            f"INSERT INTO item (id, n, token, draw) VALUES (-1, 0, {own.format(1)}, NULL)",
            f"INSERT INTO item (id, n, token, draw) VALUES (9001, 0, {own.format(2)}, 8)",
            "INSERT INTO item (id, n) VALUES (-2, 0), (9002, 0)",
            "UPDATE item SET n = -1 WHERE id IN (6, 2401)",
            # A NULL behind the cursor where NOT NULL is to be: the second pass finds it, and without one it stays.
            "UPDATE item SET token = NULL WHERE id = 7",
        )

    heard.then = work
    site.manager(three(), heard).sync()
    assert wrote.count(1000) == 3
    assert site.rows("SELECT draw FROM item WHERE id IN (5, 2400)") == [(7.0,), (7.0,)]
    assert site.rows("SELECT id, right(token::text, 1), draw FROM item WHERE id IN (-1, 9001) ORDER BY id") == [
        (-1, "1", None),
        (9001, "2", 8.0),
    ]
    assert site.rows("SELECT count(*) FROM item WHERE n = -1 AND draw IS NOT NULL") == [(2,)]
    own_nulls = [(7,)] if site.left_nullable else []
    assert site.rows("SELECT id FROM item WHERE token IS NULL") == own_nulls
    assert site.rows("SELECT count(*), count(DISTINCT token) + count(*) FILTER (WHERE token IS NULL) FROM item") == [
        (2504, 2504)
    ]
    assert site.rows("SELECT id FROM item WHERE draw IS NULL") == [(-1,)]
    assert site.rows("SELECT count(*) FROM item WHERE id BETWEEN 1 AND 2500 OR id IN (-1, -2, 9001, 9002)") == [(2504,)]
    site.settle(three(), required=True)
    assert site.rows("SELECT id FROM item WHERE token IS NULL") == own_nulls


def test_rows_that_others_lock_are_waited_for_and_the_rest_stands(site: Site) -> None:
    heard = Heard()
    quick = LockOptions(lock_timeout=0.1, retries=1, backoff_first=0.01)
    metadata = item(drawn("draw", sa.Float, "random()"))
    with psycopg.connect(site.database.dsn) as other:
        other.execute("UPDATE item SET n = 0 WHERE id = 1500")
        # The column itself needs the table; so the writer comes after it.
        other.rollback()
        heard.then = lambda _: other.execute("UPDATE item SET n = 0 WHERE id = 1500")
        with pytest.raises(LockTimeout) as caught:
            site.manager(metadata, heard, locks=quick).sync()
        assert caught.value.details["sessions"]
        assert len([event for event in heard if isinstance(event, StepRetried)]) == 1
        assert site.rows("SELECT count(draw), max(id) FROM item WHERE draw IS NOT NULL") == [(1000, 1000)]
        assert site.rows("SELECT count(*) FROM __schema_versions__") == [(0,)]
        other.rollback()
    kept = dict(site.rows("SELECT id, draw FROM item WHERE id <= 1000"))
    site.settle(metadata)
    assert dict(site.rows("SELECT id, draw FROM item WHERE id <= 1000")) == kept
    assert site.rows("SELECT count(draw) FROM item") == [(2500,)]


def test_the_plain_form_where_it_was_asked_for_or_nobody_waits(site: Site) -> None:
    def plan(**traits: Any) -> tuple[list[type], list[bool], tuple[str, ...]]:
        made = site.manager(three(), **traits).plan()
        assert made.plan.withheld == ()
        steps = made.plan.steps
        kinds = [type(one) for step in steps for one in step.operations]
        return kinds, [step.rewrites for step in steps], made.sql

    kinds, rewrites, sql = plan(online=False)
    assert (kinds, rewrites) == ([o.AddColumn] * 3, [True])
    assert sql[0] == "ALTER TABLE item ADD COLUMN token UUID DEFAULT gen_random_uuid() NOT NULL"
    site.manager(three(), online=False).sync()
    assert site.rows("SELECT count(DISTINCT token), count(DISTINCT draw) FROM item") == [(2500, 2500)]
    assert site.manager(three()).plan(force=True).plan.is_empty
    site.send("DROP TABLE item", BEFORE)
    assert plan()[:2] == ([o.AddColumn] * 3, [False])
    site.settle(three())


def test_what_stands_on_values_that_are_not_drawn_yet_waits_for_them(site: Site) -> None:
    """Only the next sync can tell whether they agree; a default that never gives a value twice is known to be good."""
    metadata = item(
        drawn("code", sa.BigInteger, "(random() * 9e17)::bigint", unique=True),
        drawn("pin", sa.Integer, "(random() * 2)::integer", unique=True),
    )
    result = site.manager(metadata).sync()
    assert {one.judgement.rule for one in result.withheld} == {"unique-unknown"}
    site.manager(metadata).sync()
    assert site.open_(metadata) == {("unique-duplicates", "create")}
    assert site.rows("SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conrelid = 'item'::regclass") == [(1,)]
    assert site.rows("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def test_an_older_server_gets_all_but_not_null(site: Site) -> None:
    """A server that says it is 17: NOT NULL would need a scan under the lock, or a DROP; a revision has both."""
    engine = sa.create_engine(site.database.sync_url, poolclass=sa.NullPool)
    metadata = item(drawn("token", sa.Uuid, "gen_random_uuid()", nullable=False))
    with engine.connect() as connection:
        connection.dialect.server_version_info = min(connection.dialect.server_version_info or (), (17, 2))
        old = MigrationManager(MigrationSettings(metadata=(metadata,)), connection=connection)
        for _ in range(2):
            result = old.sync()
            assert [(one.judgement.rule, one.judgement.handled_by) for one in result.withheld] == [
                ("null-forbidden", "create")
            ]
        assert not any("NOT VALID" in sql for sql in old.plan(force=True).sql)
    assert site.rows("SELECT count(DISTINCT token) FROM item") == [(2500,)]
    assert site.rows(NOTES) == []
    engine.dispose()


def test_a_table_without_a_key_is_left_to_a_revision(site: Site) -> None:
    site.send("ALTER TABLE item DROP CONSTRAINT item_pkey")
    result = site.manager(item(drawn("draw", sa.Float, "random()"), key=False)).sync()
    assert {one.judgement.rule for one in result.withheld} >= {"column-rewrites"}
    assert site.rows("SELECT count(*) FROM pg_attribute WHERE attname = 'draw'") == [(0,)]
    site.send("CREATE UNIQUE INDEX by_id ON item (id)")
    assert "no key" in str([one.judgement.reason for one in result.withheld])


def test_a_policy_hides_no_row_from_it(site: Site) -> None:
    """An owner whom the table's policy binds would leave the hidden rows without a value, and never know."""
    site.send(
        "DROP ROLE IF EXISTS keeper",
        "CREATE ROLE keeper LOGIN PASSWORD 'keeper'",
        "GRANT ALL ON SCHEMA public TO keeper",
        "ALTER TABLE item OWNER TO keeper",
        "ALTER TABLE item ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE item FORCE ROW LEVEL SECURITY",
        "CREATE POLICY some_rows ON item USING (id > 2000)",
    )
    metadata = item(drawn("draw", sa.Float, "random()"))
    url = sa.make_url(site.database.sync_url).set(username="keeper", password="keeper")
    bound = MigrationManager(MigrationSettings(url.render_as_string(hide_password=False), metadata=(metadata,)))
    with pytest.raises(Exception, match="row-level security"):
        bound.sync()
    assert site.rows("SELECT count(draw) FROM item") == [(0,)]
    site.settle(metadata)
    site.send("DROP OWNED BY keeper CASCADE", "DROP ROLE keeper")
