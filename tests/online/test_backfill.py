from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import ConnectionFailed, RevisionFailed
from scripts.waiting import join, wait_until
from tests.online.support import Revisions, held
from tests.versions.support import Bench

TABLE = (
    "CREATE TABLE orders (id int PRIMARY KEY, note text, total int NOT NULL DEFAULT 0)",
    "INSERT INTO orders (id, note) SELECT n, 'n' || n FROM generate_series(1, 100) n",
)
KEPT = "SELECT position::text, done, changed FROM __schema_backfills__"


@pytest.fixture
def revisions(postgres: Bench) -> Revisions:
    postgres.run(*TABLE)
    return Revisions(postgres)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("id int PRIMARY KEY", "n"),
        ("id uuid PRIMARY KEY", "md5(n::text)::uuid"),
        ('id text COLLATE "C" PRIMARY KEY', "'it''s ' || n"),
        ("id timestamptz PRIMARY KEY", "'2020-01-01'::timestamptz + n * interval '1 ms'"),
        ("id numeric NOT NULL UNIQUE", "n / 7.0"),
        ("id bytea NOT NULL, unique_me int, UNIQUE (unique_me), UNIQUE (id)", "decode(lpad(to_hex(n), 8, '0'), 'hex')"),
    ],
)
def test_every_row_once_whatever_the_key(revisions: Revisions, postgres: Bench, key: str, rows: str) -> None:
    postgres.run(f"CREATE TABLE keyed ({key}, n int NOT NULL, hits int NOT NULL DEFAULT 0)")
    postgres.run(f"INSERT INTO keyed (id, n) SELECT {rows}, n FROM generate_series(1, 95) n")
    revisions.up(
        'changed = online.backfill("keyed", {"hits": "keyed.hits + 1"}, batch_size=10, pause=0)\nassert changed == 95'
    )
    assert postgres.rows("SELECT hits, count(*) FROM keyed GROUP BY 1") == [(1, 95)]


def test_a_key_of_two_columns_and_partitions(revisions: Revisions, postgres: Bench) -> None:
    postgres.run(
        "CREATE TABLE parted (a int, b text, n int, PRIMARY KEY (a, b)) PARTITION BY LIST (a)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1, 3)",
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2)",
        "INSERT INTO parted SELECT 1 + mod(n, 3), 'b' || n, 0 FROM generate_series(1, 50) n",
    )
    revisions.up('assert online.backfill("parted", {"n": "n + a"}, batch_size=4, pause=0) == 50')
    assert postgres.rows("SELECT count(*) FROM parted WHERE n <> a") == [(0,)]


def test_a_batch_that_fails_leaves_those_before_and_a_second_run_goes_on(revisions: Revisions, postgres: Bench) -> None:
    """A killed run: the rows and the cursor were committed together, so no row is changed twice."""
    postgres.run("UPDATE orders SET note = 'zero' WHERE id = 55")
    name = revisions.write(
        """
        changed = online.backfill("orders", {"total": "total + 1000 / (CASE note WHEN 'zero' THEN 0 ELSE 10 END)"},
                                  batch_size=10, pause=0)
        assert changed == 100, changed
        """
    )
    with pytest.raises(RevisionFailed, match="division by zero"):
        postgres.track().upgrade(name)
    assert postgres.rows(KEPT) == [('["50"]', 50, 50)]
    assert postgres.rows("SELECT total, count(*), max(id) FROM orders GROUP BY 1 ORDER BY 1") == [
        (0, 50, 100),
        (100, 50, 50),
    ]
    postgres.run("UPDATE orders SET note = 'ten' WHERE id = 55")
    postgres.track().upgrade(name)
    assert postgres.rows("SELECT total, count(*) FROM orders GROUP BY 1") == [(100, 100)]
    assert postgres.rows(KEPT) == []


def test_a_connection_that_dies_in_a_batch(revisions: Revisions, postgres: Bench) -> None:
    name = revisions.write(
        """
        online.backfill("orders", {"total": "total + 1 + (CASE id WHEN 42 THEN length(pg_sleep(99)::text) ELSE 0 END)"},
                        batch_size=10, pause=0)
        """
    )
    url = postgres.connection.engine.url

    def kill() -> None:
        engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as other:
            statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            wait_until(lambda: other.exec_driver_sql(statement).all(), what="the batch that sleeps")
        engine.dispose()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ConnectionFailed):
        postgres.track().upgrade(name)
    join(killer, what="the one that kills the connection")
    postgres.connection.rollback()
    assert postgres.rows(KEPT) == [('["40"]', 40, 40)]
    file = next((postgres.apps.root / "wms" / "migrations" / "versions").glob(f"{name}*"))
    file.write_text(file.read_text().replace("pg_sleep(99)", "pg_sleep(0)"))
    # Another expression is another backfill; the cursor of the first stays for the first.
    postgres.track().upgrade(name)
    assert postgres.rows("SELECT total, count(*) FROM orders WHERE id < 41 GROUP BY 1") == [(2, 40)]


def test_a_resumed_run_looks_again_at_what_lies_before_the_cursor(revisions: Revisions, postgres: Bench) -> None:
    postgres.run(
        "UPDATE orders SET note = 'zero' WHERE id = 55",
        "UPDATE orders SET id = id + 1000",
        "UPDATE orders SET id = (id - 1000) * 10",
    )
    name = revisions.write(
        """
        online.backfill("orders", {"total": "100 / (CASE note WHEN 'zero' THEN 0 ELSE 10 END)"}, where="total = 0",
                        batch_size=10, pause=0)
        """
    )
    with pytest.raises(RevisionFailed, match="division by zero"):
        postgres.track().upgrade(name)
    postgres.run("UPDATE orders SET note = 'ten'", "INSERT INTO orders VALUES (15, 'late', 0)")
    postgres.track().upgrade(name)
    assert postgres.rows("SELECT total, count(*) FROM orders GROUP BY 1") == [(10, 101)]


def test_a_table_made_anew_begins_anew(revisions: Revisions, postgres: Bench) -> None:
    postgres.run("UPDATE orders SET note = 'zero' WHERE id = 55")
    name = revisions.write(
        'online.backfill("orders", {"total": "1 / (CASE note WHEN \'zero\' THEN 0 ELSE 1 END)"}, batch_size=9, pause=0)'
    )
    with pytest.raises(RevisionFailed):
        postgres.track().upgrade(name)
    postgres.run("DROP TABLE orders", *TABLE)
    postgres.track().upgrade(name)
    assert postgres.rows("SELECT total, count(*) FROM orders GROUP BY 1") == [(1, 100)]


def test_rows_that_others_hold_are_waited_for_and_their_news_kept(revisions: Revisions, postgres: Bench) -> None:
    """What the other session writes meanwhile is not lost: the expression sees the row as it is then."""
    name = revisions.write(
        'online.backfill("orders", {"total": "length(note)"}, where="total = 0", batch_size=10, pause=0)'
    )
    with held(postgres) as other:
        other.exec_driver_sql("UPDATE orders SET note = 'a long note' WHERE id = 33")
        other.exec_driver_sql("UPDATE orders SET total = 7 WHERE id = 34")
        timer = threading.Timer(1.2, other.commit)
        timer.start()
        postgres.track().upgrade(name)
        join(timer, what="the other session to commit")
    assert postgres.rows("SELECT total FROM orders WHERE id IN (33, 34) ORDER BY id") == [(11,), (7,)]
    assert postgres.rows("SELECT count(*) FROM orders WHERE total = 0") == [(0,)]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('online.backfill("keyless", {"n": "1"})', "has no key"),
        ('online.backfill("orders", {"id": "id + 1"})', "has no key"),
        ('online.backfill("orders", {})', "needs values"),
        ('online.backfill("orders", {"total": "1"}, batch_size=0)', "at least one row"),
        ('online.backfill("orders", {"gone": "1"})', "gone"),
    ],
)
def test_what_cannot_be_done_is_said(revisions: Revisions, postgres: Bench, call: str, said: str) -> None:
    postgres.run("CREATE TABLE keyless (n int, m int UNIQUE)")
    with pytest.raises(RevisionFailed, match=said):
        revisions.up(call)
