"""What SQLite would refuse to drop, or would break by a drop, in its own judgement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from framework_m_migrations.adapters.sql.dialects.sqlite.conflicts import dependents
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import Column, ColumnType, Generated, TableName

ITEM, OTHER = TableName("Item"), TableName("other")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as connection:
        connection.executescript(
            "CREATE TABLE Item (id INTEGER PRIMARY KEY, a INT, b INT, code TEXT UNIQUE, twice INT AS (b * 2));"
            "CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, b INT);"
            "INSERT INTO Item (id, a, b) VALUES (1, 2, 3); INSERT INTO other VALUES (1, 2, 3)"
        )
        yield connection


def gone(name: str, table: TableName = ITEM, *, expression: str | None = None) -> c.ColumnRemoved:
    made = None if expression is None else Generated("virtual", expression)
    return c.ColumnRemoved(table, Column(name, ColumnType("integer", "INTEGER"), generated=made), owned=True)


def table(name: TableName) -> c.TableRemoved:
    return c.TableRemoved(name, owned=True)


def told(base: sqlite3.Connection, *drops: c.Change) -> dict[c.Change, str]:
    """By drop, what keeps it; the question changes nothing."""
    before = list(base.iterdump())
    found = dependents(lambda sql, values: base.execute(sql, values).fetchall(), drops, schema="main")
    assert list(base.iterdump()) == before
    return {change: one.reason for change, one in found.items()}


def refused(base: sqlite3.Connection, change: c.ColumnRemoved) -> bool:
    """Whether SQLite itself refuses it; nothing stays of the attempt."""
    base.execute("BEGIN")
    try:
        base.execute(f'ALTER TABLE "{change.table.name}" DROP COLUMN "{change.column.name}"')
    except sqlite3.Error:
        return True
    finally:
        base.execute("ROLLBACK")
    return False


@pytest.mark.parametrize(
    ("made", "keeps"),
    [
        ("CREATE VIEW v AS SELECT A FROM iTEM", {"a": "view v"}),
        ("CREATE VIEW v AS SELECT * FROM item", {}),
        ("CREATE VIEW v AS SELECT o.a FROM other AS o JOIN item ON item.id = o.id", {}),
        ('CREATE VIEW "odd: \'view\'" AS SELECT sum(x."b") AS a FROM "Item" AS x', {"b": "view odd: 'view'"}),
        ("CREATE VIEW v AS WITH t AS (SELECT a AS z FROM item) SELECT z FROM t", {"a": "view v"}),
        ("CREATE VIEW w AS SELECT * FROM item; CREATE VIEW v AS SELECT a FROM w", {"a": "view v"}),
        (
            "CREATE TRIGGER t AFTER INSERT ON other BEGIN UPDATE item SET a = new.a WHERE id = new.id; END",
            {"a": "trigger t"},
        ),
        ("CREATE TRIGGER t AFTER UPDATE OF b ON item BEGIN DELETE FROM other; END", {"b": "trigger t"}),
        ("CREATE TRIGGER t AFTER INSERT ON item WHEN new.a > 1 BEGIN SELECT 1; END", {"a": "trigger t"}),
        ("CREATE TRIGGER t AFTER INSERT ON item BEGIN UPDATE sqlite_sequence SET seq = 9; END", {}),
    ],
)
def test_a_column_is_kept_by_what_names_it(base: sqlite3.Connection, made: str, keeps: dict[str, str]) -> None:
    base.executescript(made)
    for name in ("a", "b"):
        change = gone(name)
        found = told(base, gone("twice", expression="b * 2"), change)
        assert (change in found) == (name in keeps), found
        if name in keeps:
            assert keeps[name] in found[change]
        elif name == "a":
            assert not refused(base, change)


def test_what_goes_first_is_in_nobodys_way(base: sqlite3.Connection) -> None:
    twice, b = gone("twice", expression="b * 2"), gone("b")
    assert told(base, b) == {b: "The computed column twice depends on it and must be changed or dropped first."}
    assert told(base, twice, b) == {}
    base.execute("CREATE TRIGGER t AFTER INSERT ON other BEGIN SELECT a FROM item; END")
    assert set(told(base, table(ITEM))) == {table(ITEM)}
    assert told(base, table(OTHER), table(ITEM)) == {}


def test_a_table_is_kept_by_the_views_that_sqlite_would_break_in_silence(base: sqlite3.Connection) -> None:
    base.executescript("CREATE VIEW v AS SELECT count(*) AS n FROM ITEM; CREATE VIEW w AS SELECT n FROM v")
    found = told(base, table(ITEM), table(OTHER))
    assert set(found) == {table(ITEM)}
    assert "view v" in found[table(ITEM)]


@pytest.mark.parametrize(
    "reference", ["REFERENCES ITEM", "REFERENCES item (ID)", 'REFERENCES "Item" (id) ON DELETE CASCADE']
)
def test_a_foreign_key_keeps_a_table_however_it_is_written(base: sqlite3.Connection, reference: str) -> None:
    base.execute(f"CREATE TABLE theirs (item_id INT {reference})")
    assert "table theirs" in told(base, table(ITEM))[table(ITEM)]
    assert told(base, table(TableName("theirs")), table(ITEM)) == {}


def test_a_foreign_key_keeps_the_column_and_the_rule_that_it_points_at(base: sqlite3.Connection) -> None:
    base.execute("CREATE TABLE theirs (code TEXT REFERENCES item (code))")
    assert set(told(base, gone("code"), gone("a"))) == {gone("code")}


def test_a_function_that_only_the_application_has_is_no_obstacle(base: sqlite3.Connection) -> None:
    base.execute("CREATE VIEW v AS SELECT theirs(id) AS x FROM other")
    assert not refused(base, gone("a"))
    assert told(base, gone("a")) == {}


def test_a_full_text_index_that_triggers_keep_is_no_obstacle_but_to_its_columns(base: sqlite3.Connection) -> None:
    base.executescript(
        "CREATE VIRTUAL TABLE words USING fts5 (code, content='Item', content_rowid='id');"
        "CREATE TRIGGER t AFTER INSERT ON Item BEGIN INSERT INTO words (rowid, code) VALUES (new.id, new.code); END"
    )
    found = told(base, gone("twice", expression="b * 2"), gone("a"), gone("b"), gone("code"))
    assert set(found) == {gone("code")}


def test_a_virtual_table_whose_module_is_missing_stops_no_plan(base: sqlite3.Connection) -> None:
    base.executescript(
        "PRAGMA writable_schema = ON;"
        "INSERT INTO sqlite_master VALUES ('table', 'lost', 'lost', 0, 'CREATE VIRTUAL TABLE lost USING absent (x)');"
        "PRAGMA writable_schema = RESET; CREATE VIEW v AS SELECT id FROM other"
    )
    drops = (gone("a"), table(OTHER))
    found = dependents(lambda sql, values: base.execute(sql, values).fetchall(), drops, schema="main")
    assert set(found) == {table(OTHER)}
    assert not refused(base, gone("a"))
    base.execute("CREATE VIEW w AS SELECT x FROM lost")
    found = dependents(lambda sql, values: base.execute(sql, values).fetchall(), drops, schema="main")
    assert (gone("a") in found) == refused(base, gone("a"))
