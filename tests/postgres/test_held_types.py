"""A type that something else holds fast is withheld with the name of what does it, and the rest of the sync goes on."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests._postgres import PostgresDatabase

HOLDERS = {
    "the view totals": "CREATE VIEW totals AS SELECT id, amount FROM item",
    "the materialized view totals": "CREATE MATERIALIZED VIEW totals AS SELECT amount + 1 AS more FROM item",
    "the column twice of table item": "ALTER TABLE item ADD twice numeric GENERATED ALWAYS AS (amount * 2) STORED",
    "the policy few on table item": "CREATE POLICY few ON item USING (amount > 0)",
    "the trigger watch on table item": (
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER watch BEFORE UPDATE OF amount ON item FOR EACH ROW EXECUTE FUNCTION nothing()"
    ),
    "the rule away on table item": "CREATE RULE away AS ON DELETE TO item WHERE OLD.amount = 1 DO INSTEAD NOTHING",
    "the function most()": (
        "CREATE FUNCTION most() RETURNS numeric LANGUAGE SQL BEGIN ATOMIC SELECT max(amount) FROM item; END"
    ),
    "the publication of table item in publication few": "CREATE PUBLICATION few FOR TABLE item WHERE (amount > 0)",
}
REBUILT = (
    "CREATE INDEX ON item (amount)",
    "ALTER TABLE item ADD CHECK (amount >= 0)",
    "ALTER TABLE item ALTER amount SET DEFAULT 1",
    "CREATE STATISTICS both_of_them ON amount, id FROM item",
    "CREATE VIEW others AS SELECT id FROM item",
)


def manager(database: PostgresDatabase, precision: int, *more: sa.Column[int]) -> MigrationManager:
    metadata = sa.MetaData()
    amount = sa.Column("amount", sa.Numeric(precision, 2), server_default=sa.text("1"))
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), amount, *more)
    return MigrationManager(MigrationSettings(database.sync_url, metadata=(metadata,)))


def send(database: PostgresDatabase, *statements: str) -> None:
    with sa.create_engine(database.sync_url, poolclass=sa.NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.postgres
@pytest.mark.parametrize("holder", HOLDERS)
def test_what_holds_it_is_named_and_the_rest_is_done(postgres_database: PostgresDatabase, holder: str) -> None:
    manager(postgres_database, 8).sync()
    send(postgres_database, *REBUILT, HOLDERS[holder], "INSERT INTO item (id, amount) VALUES (1, 5)")
    release = manager(postgres_database, 12, sa.Column("extra", sa.Integer))
    done = release.sync()
    assert [type(p.change).__name__ for p in done.plan.plan.applied] == ["ColumnAdded"]
    [held] = [p for p in done.withheld if type(p.change).__name__ == "ColumnTypeChanged"]
    assert (held.judgement.rule, held.judgement.handled_by) == ("obstructed", "manual")
    assert held.judgement.reason.lower().startswith(holder)
    send(postgres_database, "SELECT id, amount, extra FROM item")


@pytest.mark.postgres
def test_what_the_server_builds_again_is_in_nobodys_way(postgres_database: PostgresDatabase) -> None:
    manager(postgres_database, 8).sync()
    send(postgres_database, *REBUILT)
    done = manager(postgres_database, 12).sync()
    assert [type(p.change).__name__ for p in done.plan.plan.applied] == ["ColumnTypeChanged"]


@pytest.mark.postgres
def test_a_key_of_partitions_keeps_its_type(postgres_database: PostgresDatabase) -> None:
    send(
        postgres_database,
        "CREATE TABLE item (id int, amount numeric(8, 2) DEFAULT 1, PRIMARY KEY (id, amount)) "
        "PARTITION BY LIST (amount)",
        "CREATE TABLE item_one PARTITION OF item FOR VALUES IN (1)",
    )
    metadata = sa.MetaData()
    amount = sa.Column("amount", sa.Numeric(12, 2), server_default=sa.text("1"), primary_key=True)
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), amount, sa.Column("extra", sa.Integer))
    done = MigrationManager(MigrationSettings(postgres_database.sync_url, metadata=(metadata,))).sync()
    [held] = done.withheld
    assert "which partition of table item" in held.judgement.reason


@pytest.mark.postgres
def test_what_stands_on_a_partition_holds_it_too(postgres_database: PostgresDatabase) -> None:
    send(
        postgres_database,
        "CREATE TABLE item (id int PRIMARY KEY, amount numeric(8, 2) DEFAULT 1) PARTITION BY LIST (id)",
        "CREATE TABLE item_one PARTITION OF item FOR VALUES IN (1)",
        "CREATE VIEW ones AS SELECT amount FROM item_one",
    )
    withheld = manager(postgres_database, 12).sync().withheld
    [held] = [p for p in withheld if type(p.change).__name__ == "ColumnTypeChanged"]
    assert held.judgement.reason.startswith("The view ones")
