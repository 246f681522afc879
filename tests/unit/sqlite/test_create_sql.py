"""The parser against SQLite itself: whatever SQLite takes, both must understand alike."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import (
    TableText,
    UnreadableSql,
    parse_index,
    parse_table,
    read_table,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import check_clause, edit_text
from framework_m_migrations.adapters.sql.dialects.sqlite.text import lower, quoted
from framework_m_migrations.domain.operations import AddCheck, AddForeignKey
from framework_m_migrations.domain.schema import Check, ForeignKey, TableName

NAMES = ["id", "Name", "order", "a b", "größe", "x]y", "q'q", "check", "generated", "🙂", "default", "c,d", "(e)"]


@st.composite
def names(draw: st.DrawFn, name: str) -> str:
    forms = [quoted(name), "`" + name + "`"]
    if "]" not in name:
        forms.append(f"[{name}]")
    if name in {"id", "Name", "größe", "generated"}:
        forms.extend((name, name.upper() if name.isascii() else name))
    return draw(st.sampled_from(forms))


GAPS = st.sampled_from([" ", "\n\t", " /* , ) */ ", " -- comment ' ( \n", "  "])
TYPES = st.sampled_from(
    ["", "INT", "integer", "VARCHAR(10)", "numeric ( 10 , -2 )", "double precision", '"quoted type"', "my type(1)"]
)
CONSTRAINTS = st.sampled_from(
    [
        "NOT NULL",
        "not null on conflict ignore",
        "NULL",
        "DEFAULT 1",
        "DEFAULT -1.5e3",
        "DEFAULT 'it''s, (x)'",
        "DEFAULT (1 + (2))",
        "DEFAULT current_timestamp",
        "DEFAULT x'00'",
        "DEFAULT NULL",
        'DEFAULT "text"',
        "CHECK (1 > 0)",
        "CONSTRAINT named CHECK ('a)' <> \"id\")",
        "UNIQUE",
        "CONSTRAINT u UNIQUE ON CONFLICT REPLACE",
        "COLLATE nocase",
        'COLLATE "RTRIM"',
        "REFERENCES other",
        "REFERENCES other (a) ON DELETE SET NULL ON UPDATE CASCADE",
        "CONSTRAINT fk REFERENCES [ot her](a) MATCH FULL DEFERRABLE INITIALLY DEFERRED",
        "REFERENCES other NOT DEFERRABLE",
        "CONSTRAINT dangling",
    ]
)
TABLE_CONSTRAINTS = st.sampled_from(
    [
        "UNIQUE ({0}, {1} COLLATE nocase DESC)",
        "CONSTRAINT [u 2] UNIQUE ({1}) ON CONFLICT FAIL",
        "CHECK ({0} > 'a, b)')",
        "CONSTRAINT ck CHECK ({0} > 0 OR ({1}) IS NULL)",
        "FOREIGN KEY ({0}) REFERENCES other ON DELETE NO ACTION",
        "CONSTRAINT f2 FOREIGN KEY ({0}, {1}) REFERENCES other (a, b) ON UPDATE SET DEFAULT DEFERRABLE",
        "CONSTRAINT alone",
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))
    parts = []
    for name in chosen:
        words = [draw(names(name)), draw(TYPES), *draw(st.lists(CONSTRAINTS, max_size=3))]
        parts.append(draw(GAPS).join(word for word in words if word))
    keyed = draw(st.booleans())
    text = ",".join(draw(GAPS) + part for part in parts)
    constraints = draw(st.lists(TABLE_CONSTRAINTS, max_size=3))
    if keyed:
        constraints.insert(0, "PRIMARY KEY ({1}, {0})")
    for constraint in constraints:
        text += "," + draw(GAPS) + constraint.format(quoted(chosen[0]), quoted(chosen[1]))
    options = draw(st.sampled_from(["", " WITHOUT ROWID", " /* x */ without  rowid"])) if keyed else ""
    return f'CREATE TABLE{draw(GAPS)}"the table"{draw(GAPS)}({text}{draw(GAPS)}){options}'


def understood(sql: str) -> tuple[str, Any] | None:
    """The stored text, and what SQLite's pragmas tell of it; None where SQLite does not take it."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(sql)
        except sqlite3.Error:
            return None
        run = connection.execute
        text = run("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchone()[0]
        columns = run("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo('the table')").fetchall()
        keys: dict[int, list[Any]] = {}
        listed = "SELECT * FROM pragma_foreign_key_list('the table') ORDER BY id DESC, seq"
        for number, _, target, column, to, update, delete, _match in run(listed):
            key = keys.setdefault(number, [target, [], [], update, delete])
            key[1].append(column)
            key[2].append(to)
        return text, (columns, list(keys.values()))


def normal(text: str) -> str:
    return " ".join(text.split()).upper()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(tables())
def test_tables_are_read_as_sqlite_reads_them(sql: str) -> None:
    known = understood(sql)
    if known is None:
        return
    text, (columns, keys) = known
    table = parse_table(text)
    assert table.name == "the table"
    assert text[table.body_end] == ")"
    assert [column.name for column in table.columns] == [column[0] for column in columns]
    for mine, (name, type_, not_null, default, _) in zip(table.columns, columns, strict=True):
        assert "".join(mine.type.upper().split()) == "".join(type_.upper().split())
        # The key of a table without rowid is NOT NULL without saying so.
        assert mine.not_null == bool(not_null) or (table.without_rowid and name in table.primary_key)
        assert (mine.default is None) == (default is None)
        if mine.default is not None:
            assert normal(mine.default).strip("() ") == normal(default).strip("() ")
        assert text[mine.span[0] : mine.span[1]].startswith(text[mine.span[0] : mine.type_span[0]])
    order = sorted((column[4], column[0]) for column in columns if column[4])
    assert list(table.primary_key) == [name for _, name in order]
    assert len(table.foreign_keys) == len(keys)
    for written, (target, own, theirs, update, delete) in zip(table.foreign_keys, keys, strict=True):
        # Pragmas tell the columns of foreign keys as they are written there.
        assert (written.target, [lower(name) for name in written.columns]) == (target, [lower(name) for name in own])
        assert list(written.target_columns) == [to for to in theirs if to is not None]
        assert (written.on_update or "NO ACTION", written.on_delete or "NO ACTION") == (update, delete)


def told(table: TableText) -> list[object]:
    """What readers use."""
    columns = [(c.name, c.collation, c.expression, c.stored, c.autoincrement) for c in table.columns]
    checks = [(check.name, check.expression) for check in table.checks]
    keys = [replace(key, span=(0, 0)) for key in table.foreign_keys]
    rest = [table.name, table.primary_key, table.primary_key_name, table.without_rowid, table.strict]
    uniques = [replace(unique, span=(0, 0)) for unique in table.uniques]
    return [columns, checks, uniques, keys, rest]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(tables())
def test_the_quick_reader_reads_the_same(sql: str) -> None:
    known = understood(sql)
    if known is not None:
        assert told(read_table(known[0])) == told(parse_table(known[0]))


@pytest.mark.parametrize(
    "body",
    [
        "a INTEGER, b UNIQUE, c NULL, d TEXT",
        "a INT, b INTEGER PRIMARY KEY, c INT",
        "a TEXT DEFAULT 'x, y' NOT NULL, CONSTRAINT dangling, CHECK (a > 0)",
        "a TEXT, constraint c unique (a), primary key (a)",
        'a TEXT, "check" INT, unique_ INT, b CHECK (b), CHECK (unique_)',
        "a INT, b INT COLLATE nocase, c INT, d AS (a), e generated always as (b)",
        "a INT DEFAULT 5 NOT NULL, b INT DEFAULT -5.5, c INT DEFAULT (5), d INT DEFAULT 'it''s'",
        "A INTEGER, b INT, PRIMARY KEY (a AUTOINCREMENT)",
        "a NUMERIC(10, 2), b VARCHAR(5), c INT REFERENCES t (a), d DOUBLE PRECISION, e INT",
        "a INT -- , b TEXT\n, c INT /* , */ , d INT",
        "a INT\n, b INT UNIQUE, c INT",
    ],
)
def test_the_quick_reader_is_not_misled(body: str) -> None:
    known = understood(f"CREATE TABLE t ({body})")
    assert known is not None
    assert told(read_table(known[0])) == told(parse_table(known[0]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(tables())
def test_a_constraint_is_added_to_any_table(sql: str) -> None:
    known = understood(sql)
    if known is None:
        return
    text, (columns, keys) = known
    check = Check("new, one", "1 = 1")
    edited = edit_text(text, AddCheck(TableName("the table"), check))
    assert edited.after.replace(f", {check_clause(check)}", "", 1) == text
    again = understood(edited.after)
    assert again is not None
    assert again[1] == (columns, keys)
    assert [item.name for item in parse_table(edited.after).checks] == [
        *(item.name for item in parse_table(text).checks),
        "new, one",
    ]
    key = ForeignKey("f", (columns[0][0],), TableName("t 2"), ("x",), "CASCADE")
    with_key = understood(edit_text(edited.after, AddForeignKey(TableName("the table"), key)).after)
    assert with_key is not None
    assert with_key[1][1] == [*keys, ["t 2", [columns[0][0]], ["x"], "NO ACTION", "CASCADE"]]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t",
        "CREATE TABLE t (",
        "CREATE TABLE t (a",
        "CREATE TABLE t (a) WHAT",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TABLE t (a CHECK (1)",
        "CREATE VIRTUAL TABLE t USING fts5(a)",
    ],
)
def test_what_is_no_table_is_told(sql: str) -> None:
    with pytest.raises(UnreadableSql):
        parse_table(sql)


@given(st.text(max_size=60))
def test_no_text_brings_another_error(text: str) -> None:
    for parse in (parse_table, parse_index):
        for sql in (text, f"CREATE TABLE t ({text}", f"CREATE INDEX i ON t ({text})"):
            try:
                parse(sql)
            except UnreadableSql:
                continue


def test_an_index() -> None:
    index = parse_index(
        'CREATE UNIQUE INDEX IF NOT EXISTS main."ix 1" ON [t] (a, "b, c" COLLATE nocase DESC, lower(a) asc) WHERE a>1;'
    )
    assert (index.name, index.table, index.unique, index.where) == ("ix 1", "t", True, "a>1")
    assert [(key.column, key.expression, key.collation, key.descending) for key in index.keys] == [
        ("a", "a", None, False),
        ("b, c", '"b, c"', "nocase", True),
        (None, "lower(a)", None, False),
    ]
