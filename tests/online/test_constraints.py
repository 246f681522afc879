from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import RevisionFailed
from tests.online.support import Revisions, held
from tests.versions.support import Bench

TABLES = (
    "CREATE TABLE customers (id int PRIMARY KEY)",
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, total numeric)",
    "INSERT INTO customers SELECT generate_series(1, 10)",
    "INSERT INTO orders SELECT n, 1 + mod(n, 10), n FROM generate_series(1, 100) n",
)
KEY = (
    'online.add_foreign_key("fk_customer", "orders", "customers", ["customer"], ["id"], ondelete="CASCADE", '
    "deferrable=True{})"
)
CHECK = 'online.add_check("ck_total", "orders", "total > 0 AND 10 % 3 = 1"{})'
STATE = (
    "SELECT conname::text, convalidated FROM pg_constraint WHERE conrelid = 'orders'::regclass "
    "AND contype IN ('f', 'c') ORDER BY 1"
)


@pytest.fixture
def revisions(postgres: Bench) -> Revisions:
    postgres.run(*TABLES)
    return Revisions(postgres)


@pytest.mark.parametrize(("add", "name"), [(KEY, "fk_customer"), (CHECK, "ck_total")])
def test_a_constraint_is_added_validated_and_dropped(
    revisions: Revisions, postgres: Bench, add: str, name: str
) -> None:
    unchecked = revisions.up(add.format(", validate=False"), f'online.drop_constraint("{name}", "orders")')
    assert postgres.rows(STATE) == [(name, False)]
    # While a writer is at it, which would hold up what locks more than VALIDATE does.
    with held(postgres, "UPDATE orders SET total = 500 WHERE id = 1", "SELECT 1 FROM customers FOR KEY SHARE"):
        validated = revisions.up(add.format(""))
    assert postgres.rows(STATE) == [(name, True)]
    again = revisions.up(f'{add.format("")}\nonline.validate_constraint("{name}", "orders")')
    for one in (again, validated, unchecked):
        revisions.down(one)
    assert postgres.rows(STATE) == []


def test_rows_that_break_it_leave_it_not_valid_and_it_goes_on_from_there(revisions: Revisions, postgres: Bench) -> None:
    for add, wrong in ((KEY, "customer = 99"), (CHECK, "total = -1")):
        postgres.run(f"UPDATE orders SET {wrong} WHERE id = 7")
        name = revisions.write(add.format(""))
        with pytest.raises(RevisionFailed, match="violate"):
            postgres.track().upgrade(name)
        postgres.run("UPDATE orders SET customer = 9, total = 1 WHERE id = 7")
        postgres.track().upgrade(name)
    assert postgres.rows(STATE) == [("ck_total", True), ("fk_customer", True)]


def test_another_constraint_of_the_name_is_an_error(revisions: Revisions, postgres: Bench) -> None:
    postgres.run(
        "ALTER TABLE orders ADD CONSTRAINT fk_customer FOREIGN KEY (customer) REFERENCES customers (id)",
        "ALTER TABLE orders ADD CONSTRAINT ck_total CHECK (total > 0)",
    )
    for add, kind in ((KEY, "foreign key fk_customer"), (CHECK, "check ck_total")):
        with pytest.raises(RevisionFailed, match=f"another {kind}"):
            revisions.up(add.format(""))
        revisions.forget()


def test_what_is_not_there_is_said(revisions: Revisions, postgres: Bench) -> None:
    for source, said in (
        ('online.validate_constraint("fk_none", "orders")', "no foreign key or check fk_none"),
        ('online.add_check("ck", "nowhere", "true")', "no table nowhere"),
        ('online.set_not_null("orders", "nothing")', "no column nothing"),
    ):
        with pytest.raises(RevisionFailed, match=said):
            revisions.up(source)
        revisions.forget()


def test_a_schema_of_its_own(revisions: Revisions, postgres: Bench) -> None:
    postgres.run("CREATE SCHEMA sales", "CREATE TABLE sales.bills (id int PRIMARY KEY, customer int, n int)")
    postgres.run("INSERT INTO sales.bills VALUES (1, 1, NULL)")
    revisions.up(
        """
        online.add_foreign_key("fk", "bills", "customers", ["customer"], ["id"], source_schema="sales",
                               referent_schema="public")
        online.create_index_concurrently("ix_bills_n", "bills", ["n"], schema="sales")
        online.add_check("ck", "bills", "n > 0", schema="sales")
        online.set_not_null("bills", "n", fill="7", schema="sales")
        online.add_unique("uq_bills", "bills", ["customer", "n"], schema="sales")
        online.drop_index_concurrently("ix_bills_n", "bills", schema="sales")
        """
    )
    postgres.run("DELETE FROM alembic_version")
    assert postgres.rows(
        "SELECT conname::text FROM pg_constraint WHERE conrelid = 'sales.bills'::regclass "
        "AND contype IN ('f', 'c', 'u') AND convalidated ORDER BY 1"
    ) == [("ck",), ("fk",), ("uq_bills",)]
    assert postgres.rows("SELECT n FROM sales.bills") == [(7,)]
