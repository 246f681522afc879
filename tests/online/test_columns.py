from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import RevisionFailed
from tests.online.support import Revisions
from tests.versions.support import Bench

TABLE = (
    "CREATE TABLE orders (id int PRIMARY KEY, note text)",
    "INSERT INTO orders SELECT n, CASE WHEN mod(n, 3) = 0 THEN 'x' END FROM generate_series(1, 90) n",
)
NULLABLE = "SELECT is_nullable FROM information_schema.columns WHERE column_name = 'note'"
CHECKS = "SELECT conname::text FROM pg_constraint WHERE contype = 'c' AND conrelid = 'orders'::regclass ORDER BY 1"


@pytest.fixture
def revisions(postgres: Bench) -> Revisions:
    postgres.run(*TABLE)
    return Revisions(postgres)


def test_not_null_with_a_fill_and_back(revisions: Revisions, postgres: Bench) -> None:
    name = revisions.up(
        'online.set_not_null("orders", "note", fill="\'n: 100%\' || id", batch_size=7, pause=0)',
        'online.drop_not_null("orders", "note")',
    )
    assert postgres.rows(NULLABLE) == [("NO",)]
    assert postgres.rows(CHECKS) == []
    assert postgres.rows("SELECT count(*), count(*) FILTER (WHERE note = 'n: 100' || chr(37) || id) FROM orders") == [
        (90, 60)
    ]
    assert postgres.rows("SELECT count(*) FROM __schema_backfills__") == [(0,)]
    revisions.up('online.set_not_null("orders", "note")')
    revisions.down(revisions.last or "")
    revisions.down(name)
    assert postgres.rows(NULLABLE) == [("YES",)]


def test_not_null_that_a_row_breaks_leaves_the_table_as_it_was(revisions: Revisions, postgres: Bench) -> None:
    """A check that stayed would refuse what the application may still write."""
    with pytest.raises(RevisionFailed, match="violated by some row"):
        revisions.up('online.set_not_null("orders", "note")')
    assert postgres.rows(CHECKS) == []
    postgres.run("INSERT INTO orders VALUES (1000, NULL)")


def test_not_null_uses_a_check_that_says_it(revisions: Revisions, postgres: Bench) -> None:
    postgres.run("UPDATE orders SET note = 'x'", "ALTER TABLE orders ADD CONSTRAINT mine CHECK (note IS NOT NULL)")
    revisions.up('online.set_not_null("orders", "note")')
    assert postgres.rows(NULLABLE) == [("NO",)]
    assert postgres.rows(CHECKS) == [("mine",)]


def test_not_null_goes_on_where_it_was_killed(revisions: Revisions, postgres: Bench) -> None:
    postgres.run(
        "UPDATE orders SET note = 'x'",
        "ALTER TABLE orders ADD CONSTRAINT orders_note_m_migrate_not_null CHECK (note IS NOT NULL) NOT VALID",
    )
    revisions.up('online.set_not_null("orders", "note")')
    assert (postgres.rows(NULLABLE), postgres.rows(CHECKS)) == ([("NO",)], [])


def test_labels_of_an_enumeration(revisions: Revisions, postgres: Bench) -> None:
    postgres.run("CREATE TYPE mood AS ENUM ('sad', 'glad')", "ALTER TABLE orders ADD feels mood")
    again = 'online.add_enum_value("mood", "it\'s so: so", after="sad")'
    revisions.up(
        # A new label cannot be used before its commit: both in one revision need just that.
        f"""
        {again}
        {again}
        online.add_enum_value("mood", "bad", before="sad")
        op.execute("UPDATE orders SET feels = 'bad'")
        """
    )
    assert postgres.rows("SELECT enumlabel::text FROM pg_enum ORDER BY enumsortorder") == [
        ("bad",),
        ("sad",),
        ("it's so: so",),
        ("glad",),
    ]
    assert postgres.rows("SELECT DISTINCT feels::text FROM orders") == [("bad",)]


def test_statements_of_ones_own_are_one_transaction(revisions: Revisions, postgres: Bench) -> None:
    with pytest.raises(RevisionFailed, match="division by zero"):
        revisions.up('online.execute("ALTER TABLE orders RENAME note TO remark", "SELECT 1/0")')
    revisions.forget()
    revisions.up(
        """online.execute("UPDATE orders SET note = '50% :off' WHERE id = 1", "ALTER TABLE orders ADD n int")"""
    )
    assert postgres.rows("SELECT note, n FROM orders WHERE id = 1") == [("50% :off", None)]
