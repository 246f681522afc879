from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import RevisionFailed
from tests.online.support import Revisions, held
from tests.versions.support import Bench

ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric)"
ROWS = "INSERT INTO orders SELECT n, 'c' || mod(n, 10), n FROM generate_series(1, 100) n"
CREATE = 'online.create_index_concurrently("ix_orders_customer", "orders", ["customer"])'
VALID = (
    "SELECT c.relname::text, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid "
    "JOIN pg_class t ON t.oid = x.indrelid WHERE t.relname ~ '^orders' AND NOT x.indisprimary ORDER BY 1"
)


@pytest.fixture
def revisions(postgres: Bench) -> Revisions:
    postgres.run(ORDERS, ROWS)
    return Revisions(postgres)


def test_an_index_comes_and_goes_without_waiting_for_writers(revisions: Revisions, postgres: Bench) -> None:
    """A plain CREATE INDEX would wait for the writer's transaction only to get its lock, and hold up all after it."""
    name = revisions.write(
        f"{CREATE}\n"
        'online.create_index_concurrently("ux_orders_lower", "orders", [sa.text("lower(customer) DESC"), "id"],\n'
        '    unique=True, postgresql_where=sa.text("total > 5"), postgresql_include=["total"])',
        'online.drop_index_concurrently("ix_orders_customer", "orders")\n'
        'online.drop_index_concurrently("ux_orders_lower", "orders")',
    )
    postgres.track().upgrade(name)
    assert postgres.rows(VALID) == [("ix_orders_customer", True), ("ux_orders_lower", True)]
    assert "INCLUDE (total) WHERE (total > (5)::numeric)" in str(
        postgres.rows("SELECT pg_get_indexdef('ux_orders_lower'::regclass)")
    )
    # What is there already is found, whatever else was lost.
    postgres.run("DELETE FROM alembic_version")
    postgres.track().upgrade(name)
    revisions.down(name)
    assert postgres.rows(VALID) == []


def test_a_build_that_was_killed_is_repaired(revisions: Revisions, postgres: Bench) -> None:
    postgres.run("UPDATE pg_index SET indisvalid = indisvalid")
    _kill_build(postgres)
    assert postgres.rows(VALID) == [("ix_orders_customer", False)]
    postgres.run("CREATE INDEX ix_orders_customer_ccnew ON orders (customer)")
    postgres.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_orders_customer_ccnew'::regclass")
    revisions.up(CREATE)
    assert postgres.rows(VALID) == [("ix_orders_customer", True)]


def _kill_build(postgres: Bench) -> None:
    """A lock_timeout lets a concurrent build die over an old snapshot."""
    with held(postgres, "INSERT INTO orders VALUES (1000, 'x', 1)"):
        raw = postgres.connection.execution_options(isolation_level="AUTOCOMMIT")
        raw.exec_driver_sql("SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            raw.exec_driver_sql("CREATE INDEX CONCURRENTLY ix_orders_customer ON orders (customer)")
        raw.exec_driver_sql("RESET lock_timeout")
        raw.rollback()
        raw.execution_options(isolation_level="READ COMMITTED")


def test_another_index_of_the_name_is_an_error_and_stays(revisions: Revisions, postgres: Bench) -> None:
    postgres.run("CREATE INDEX ix_orders_customer ON orders (total)")
    with pytest.raises(RevisionFailed, match="another index ix_orders_customer"):
        revisions.up(CREATE)
    assert "(total)" in str(postgres.rows("SELECT pg_get_indexdef('ix_orders_customer'::regclass)"))


def test_duplicates_leave_nothing_behind(revisions: Revisions, postgres: Bench) -> None:
    """An invalid unique index would refuse rows of the application."""
    name = revisions.write('online.add_unique("uq_orders_customer", "orders", ["customer"])')
    with pytest.raises(RevisionFailed, match="could not create unique index"):
        postgres.track().upgrade(name)
    assert postgres.rows(VALID) == []
    postgres.run("UPDATE orders SET customer = customer || id")
    postgres.track().upgrade(name)
    assert postgres.rows("SELECT contype::text FROM pg_constraint WHERE conname = 'uq_orders_customer'") == [("u",)]
    postgres.run("DELETE FROM alembic_version")
    postgres.track().upgrade(name)


def test_a_partitioned_table(revisions: Revisions, postgres: Bench) -> None:
    postgres.run(
        "DROP TABLE orders",
        "CREATE TABLE orders (id int, customer text) PARTITION BY RANGE (id)",
        "CREATE TABLE orders_a PARTITION OF orders FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE orders_b PARTITION OF orders FOR VALUES FROM (10) TO (20)",
        # What a killed run leaves: the parent's index without all of its parts.
        "CREATE INDEX ix_orders_customer ON ONLY orders (customer)",
        "CREATE INDEX orders_a_ix_orders_customer ON orders_a (customer)",
    )
    name = revisions.up(CREATE, 'online.drop_index_concurrently("ix_orders_customer", "orders")')
    assert postgres.rows(VALID) == [
        ("ix_orders_customer", True),
        ("orders_a_ix_orders_customer", True),
        ("orders_b_ix_orders_customer", True),
    ]
    revisions.down(name)
    assert postgres.rows(VALID) == []
