"""The ledger on real databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.ledger import LEDGER_TABLES, SqlLedger, key_of
from framework_m_migrations.domain.errors import DatabaseError, LedgerCorrupt
from framework_m_migrations.domain.ownership import LedgerForm, OwnedTable
from framework_m_migrations.domain.schema import TableName
from tests.sql.conftest import sqlite_engine
from tests.sql.plain import PlainDialect

SUM, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def ledger(connection: sa.Connection, plain: PlainDialect) -> SqlLedger:
    return SqlLedger(connection, plain)


def statements(connection: sa.Connection) -> list[str]:
    sent: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
    return sent


def names(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


LEGACY = (
    'CREATE TABLE "__schema_versions__" (doctype_name VARCHAR(255) NOT NULL PRIMARY KEY, checksum VARCHAR(64) NOT NULL)'
)


def test_reading_an_empty_database_creates_nothing_and_leaves_no_broken_transaction(
    connection: sa.Connection, ledger: SqlLedger
) -> None:
    assert ledger.snapshot().form is LedgerForm.ABSENT
    assert ledger.objects() == {}
    assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    assert ledger.snapshot().form is LedgerForm.ABSENT, "within a transaction too"
    assert ledger.objects([TableName("a")]) == {}
    assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    assert names(connection) == set()


def test_a_look_within_a_callers_transaction_keeps_what_it_wrote(connection: sa.Connection, ledger: SqlLedger) -> None:
    connection.exec_driver_sql("CREATE TABLE mine (a integer)")
    assert ledger.snapshot().form is LedgerForm.ABSENT
    connection.commit()
    assert names(connection) == {"mine"}


def test_what_is_stored_is_read_back_in_one_statement(connection: sa.Connection, ledger: SqlLedger) -> None:
    ledger.prepare()
    ledger.store({"A": SUM, "B": SUM, "it's 100% :x": OTHER})
    ledger.store({"B": OTHER, "C": SUM})
    ledger.forget(["A", "unknown"])
    ledger.set_state({"token": "1", "gone": "x", "odd": "100% :x '"})
    ledger.set_state({"token": "2", "gone": None, "never": None})
    connection.commit()
    sent = statements(connection)
    snapshot = ledger.snapshot()
    assert len(sent) == 1
    assert snapshot.form is LedgerForm.CURRENT
    assert snapshot.checksums == {"B": OTHER, "C": SUM, "it's 100% :x": OTHER}
    assert snapshot.state == {"token": "2", "odd": "100% :x '"}
    connection.rollback()
    sent.clear()
    assert SqlLedger(connection, PlainDialect(connection.dialect.name)).snapshot() == snapshot
    assert len(sent) == 1, "also for one that never looked before"


def test_what_is_ours_merges_and_is_replaced_and_disowned(ledger: SqlLedger) -> None:
    ledger.prepare()
    one, other = TableName("a"), TableName("a", "tenant")
    ledger.record(
        [
            OwnedTable(one, "A", "created", frozenset({"x"}), frozenset({"ix"}), frozenset()),
            OwnedTable(other, "O", "adopted", frozenset({"z"})),
            OwnedTable(one, "A2", "adopted", frozenset({"y"})),
        ]
    )
    ledger.record([OwnedTable(one, "A3", "adopted", frozenset(), frozenset(), frozenset({"it's"}))])
    expected = OwnedTable(one, "A3", "created", frozenset("xy"), frozenset({"ix"}), frozenset({"it's"}))
    assert ledger.objects() == {one: expected, other: OwnedTable(other, "O", "adopted", frozenset({"z"}))}
    assert ledger.objects([one]) == {one: expected}
    ledger.replace([OwnedTable(one, "B", "adopted", frozenset({"q"}))])
    assert ledger.objects([one])[one] == OwnedTable(one, "B", "adopted", frozenset({"q"}))
    ledger.disown([one, TableName("unknown")])
    assert set(ledger.objects()) == {other}
    ledger.store({"A": SUM})
    ledger.set_state({"k": "v"})
    ledger.clear()
    assert (ledger.objects(), ledger.snapshot().checksums, ledger.snapshot().state) == ({}, {}, {})


def test_writes_vanish_with_their_transaction(connection: sa.Connection, ledger: SqlLedger) -> None:
    ledger.prepare()
    ledger.store({"A": SUM})
    connection.commit()
    ledger.store({"A": OTHER, "B": OTHER})
    ledger.record([OwnedTable(TableName("t"), "A", "created")])
    ledger.set_state({"k": "v"})
    connection.rollback()
    assert ledger.snapshot().checksums == {"A": SUM}
    assert (ledger.snapshot().state, ledger.objects()) == ({}, {})


def test_a_preparation_that_is_rolled_back_leaves_nothing(connection: sa.Connection, ledger: SqlLedger) -> None:
    ledger.prepare()
    ledger.store({"A": SUM})
    connection.rollback()
    assert names(connection) == set()
    assert ledger.snapshot().form is LedgerForm.ABSENT
    ledger.prepare()
    ledger.prepare()
    connection.commit()
    assert names(connection) == LEDGER_TABLES


def test_framework_ms_own_table_is_adopted_with_its_rows(connection: sa.Connection, ledger: SqlLedger) -> None:
    connection.exec_driver_sql(LEGACY)
    connection.exec_driver_sql("INSERT INTO \"__schema_versions__\" VALUES ('Old', 'md5-of-the-host')")
    connection.commit()
    snapshot = ledger.snapshot()
    assert (snapshot.form, snapshot.checksums) == (LedgerForm.LEGACY, {"Old": "md5-of-the-host"})
    assert ledger.objects() == {}
    assert names(connection) == {"__schema_versions__"}
    connection.rollback()
    ledger.prepare()
    ledger.store({"New": SUM})
    connection.commit()
    assert ledger.snapshot().form is LedgerForm.CURRENT
    assert ledger.snapshot().checksums == {"Old": "md5-of-the-host", "New": SUM}
    columns = sa.inspect(connection).get_columns("__schema_versions__")
    assert [(c["name"], c["type"].length, c["nullable"]) for c in columns] == [  # type: ignore[attr-defined]
        ("doctype_name", 255, False),
        ("checksum", 64, False),
    ]
    # As the host itself writes.
    connection.exec_driver_sql("DELETE FROM \"__schema_versions__\" WHERE doctype_name = 'Old'")
    connection.exec_driver_sql("INSERT INTO \"__schema_versions__\" (doctype_name, checksum) VALUES ('Old', 'x')")
    assert ledger.snapshot().checksums["Old"] == "x"


def test_our_own_versions_table_is_what_the_host_would_make(connection: sa.Connection, ledger: SqlLedger) -> None:
    ledger.prepare()
    inspector = sa.inspect(connection)
    columns = [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns("__schema_versions__")]
    assert columns == [("doctype_name", "VARCHAR(255)", False), ("checksum", "VARCHAR(64)", False)]
    assert inspector.get_pk_constraint("__schema_versions__")["constrained_columns"] == ["doctype_name"]


@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside a transaction"])
@pytest.mark.parametrize(
    "wrong",
    [
        ['CREATE TABLE "__schema_versions__" (id integer, other text)'],
        [LEGACY, 'CREATE TABLE "__schema_state__" (name text)'],
    ],
)
def test_a_table_of_another_form_is_corrupt(
    connection: sa.Connection, ledger: SqlLedger, wrong: list[str], inside: bool
) -> None:
    for sql in wrong:
        connection.exec_driver_sql(sql)
    connection.commit()
    if inside:
        connection.exec_driver_sql("SELECT 1")
    with pytest.raises(LedgerCorrupt):
        ledger.snapshot()
    connection.rollback()
    with pytest.raises(LedgerCorrupt):
        ledger.prepare()


def test_members_that_cannot_be_read_are_corrupt(connection: sa.Connection, ledger: SqlLedger) -> None:
    ledger.prepare()
    ledger.record([OwnedTable(TableName("t"), "T", "created")])
    for members in ("not json", "[]", '{"columns": [1], "indexes": [], "constraints": []}', "{}"):
        connection.execute(sa.text('UPDATE "__schema_objects__" SET members = :m'), {"m": members})
        with pytest.raises(LedgerCorrupt):
            ledger.objects()


def test_a_value_that_is_no_text_is_corrupt(sqlite: sa.Connection) -> None:
    ledger = SqlLedger(sqlite, PlainDialect("sqlite"))
    ledger.prepare()
    sqlite.exec_driver_sql("INSERT INTO \"__schema_versions__\" VALUES ('A', x'00')")
    with pytest.raises(LedgerCorrupt):
        ledger.snapshot()


def test_names_too_long_for_the_host_are_kept_whole(connection: sa.Connection, ledger: SqlLedger) -> None:
    ledger.prepare()
    one, other = "n" * 300, "n" * 299 + "m"
    assert key_of(one) != key_of(other)
    assert len(key_of(one)) == 255
    ledger.store({one: SUM, other: OTHER, "short": SUM})
    ledger.store({one: OTHER})
    assert ledger.snapshot().checksums == {one: OTHER, other: OTHER, "short": SUM}
    assert ledger.snapshot().state == {}
    ledger.forget([one])
    assert ledger.snapshot().checksums == {other: OTHER, "short": SUM}
    ledger.record([OwnedTable(TableName("t"), one, "created")])
    assert ledger.objects()[TableName("t")].doctype == one


def test_a_table_that_somebody_made_without_a_key_is_written_all_the_same(
    connection: sa.Connection, ledger: SqlLedger
) -> None:
    connection.exec_driver_sql(
        'CREATE TABLE "__schema_versions__" (doctype_name VARCHAR(255) NOT NULL, checksum VARCHAR(64) NOT NULL)'
    )
    ledger.prepare()
    ledger.store({"A": SUM, "B": SUM})
    ledger.store({"A": OTHER})
    assert ledger.snapshot().checksums == {"A": OTHER, "B": SUM}
    assert connection.exec_driver_sql('SELECT count(*) FROM "__schema_versions__"').scalar_one() == 2


def test_writing_before_there_is_a_ledger_is_an_error(ledger: SqlLedger) -> None:
    with pytest.raises(DatabaseError):
        ledger.store({"A": SUM})


def test_many_tables_are_quick(connection: sa.Connection, ledger: SqlLedger) -> None:
    """22,000 names in 700 rows; the bound leaves room for a busy machine."""
    owned = [
        OwnedTable(
            TableName(f"table_{number}"),
            f"DocType {number}",
            "created",
            frozenset(f"column_{n}" for n in range(23)),
            frozenset(f"ix_table_{number}_{n}" for n in range(8)),
            frozenset({f"fk_{number}"}),
        )
        for number in range(700)
    ]
    ledger.prepare()
    sent = statements(connection)
    ledger.record(owned)
    ledger.record(owned)
    ledger.store({item.doctype: SUM for item in owned})
    found = ledger.objects()
    assert len(found) == 700
    assert len(sent) <= 9
    sent.clear()
    assert len(ledger.objects([item.table for item in owned[:300]])) == 300
    assert len(sent) == 1


@pytest.mark.postgres
def test_it_lives_in_the_sessions_schema(postgres: sa.Connection) -> None:
    postgres.exec_driver_sql('CREATE SCHEMA "Tenant 1"')
    ledger = SqlLedger(postgres, PlainDialect("postgresql"), schema="Tenant 1")
    assert ledger.snapshot().form is LedgerForm.ABSENT
    ledger.prepare()
    ledger.store({"A": SUM})
    assert names(postgres) == set()
    assert set(sa.inspect(postgres).get_table_names("Tenant 1")) == LEDGER_TABLES
    assert ledger.snapshot().checksums == {"A": SUM}


def test_another_process_sees_what_was_committed(tmp_path: Path) -> None:
    path: Any = tmp_path / "shared.db"
    for expected in ({}, {"A": SUM}):
        with sqlite_engine(path).connect() as connection:
            ledger = SqlLedger(connection, PlainDialect("sqlite"))
            assert ledger.snapshot().checksums == expected
            ledger.prepare()
            ledger.store({"A": SUM})
            connection.commit()
