"""Constraints and columns of existing tables, changed through the stored definition, on real files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.types import declared_type
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.domain.errors import DatabaseError, MigrationError
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AdditiveOperation,
    AddUnique,
    AlterType,
    SetDefault,
    SetNotNull,
)
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import Check, Column, ColumnType, ForeignKey, Table, TableName, Unique
from tests.sqlite._helpers import DIALECT, apply, connected, plain, read_all, read_one, script

UGLY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
CREATE TABLE /* the ", orders ( */ "order" ( -- it's a comment, with ( and ,
    id INTEGER PRIMARY KEY, -- the key
    [select] varchar ( 10 )DEFAULT 'it''s, (DEFAULT) NOT NULL' -- VARCHAR(10)
    , `Na"me` TEXT COLLATE nocase NULL,
    "price" NUMERIC(10,2) NOT NULL DEFAULT (1 + 1) CHECK ("price" >= 0),
    p int REFERENCES parent(id) ON DELETE SET NULL,
    "größe" REAL /* end */,
    untyped,
    full_name AS ("select" || '-' || price) VIRTUAL,
    CONSTRAINT "a, b" UNIQUE ([select], price) CONSTRAINT pos CHECK (price <> ')' )
);
CREATE INDEX ix_select ON "order" ("select", price DESC) WHERE price > 0;
CREATE VIEW v AS SELECT id, price FROM "order";
CREATE TRIGGER trg AFTER INSERT ON "order" BEGIN UPDATE parent SET code = code || new.price WHERE id = new.p; END;
INSERT INTO parent VALUES (1, 'a');
INSERT INTO "order" (id, "select", price, p) VALUES (1, 'x', 3, 1), (2, 'y', 4, NULL);
"""
ORDER = TableName("order")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    script(path, UGLY)
    return path


def column(path: Path, name: str, table: str = "order") -> Column:
    with connected(path) as connection:
        found = read_one(connection, table).column(name)
    assert found is not None
    return found


def typed(spelling: str) -> ColumnType:
    return declared_type(spelling)


def edit(path: Path, *operations: AdditiveOperation) -> None:
    with connected(path) as connection:
        apply(connection, *operations)


def everything_else(path: Path) -> list[object]:
    """All that an edit of the definition of "order" must leave alone."""
    rows = plain(path, 'SELECT id, "select", `Na"me`, price, p, "größe", untyped, full_name FROM "order" ORDER BY id')
    other = plain(path, "SELECT type, name, sql FROM sqlite_master WHERE NOT (type = 'table' AND name = 'order')")
    return [rows, other, plain(path, "SELECT * FROM parent"), plain(path, "SELECT * FROM v")]


@pytest.mark.parametrize(
    "operation",
    [
        AddCheck(ORDER, Check("ck 1", "price < 1000 AND \"select\" <> ');--'")),
        AddCheck(ORDER, Check(None, '"größe" IS NULL')),
        AddForeignKey(ORDER, ForeignKey("fk", ("untyped",), TableName("parent"), ("code",), "CASCADE", "SET NULL")),
        AddForeignKey(
            ORDER,
            ForeignKey(
                None, ("p",), TableName("parent"), ("id",), options=(("deferrable", "true"), ("initially", "DEFERRED"))
            ),
        ),
        AlterType(ORDER, Column("select", typed("VARCHAR(10)")), Column("select", typed("VARCHAR(140)"))),
        AlterType(ORDER, Column("price", typed("NUMERIC(10, 2)")), Column("price", typed("NUMERIC(18, 6)"))),
        SetDefault(ORDER, Column("select", typed("")), Column("select", typed(""), default="'new, (''default'')'")),
        SetDefault(ORDER, Column("select", typed("")), Column("select", typed(""), default=None)),
        SetDefault(ORDER, Column("größe", typed("")), Column("größe", typed(""), default="CURRENT_TIMESTAMP")),
        SetDefault(ORDER, Column("untyped", typed("")), Column("untyped", typed(""), default="1 + 2")),
    ],
    ids=repr,
)
def test_an_edit_changes_what_is_meant_and_nothing_else(path: Path, operation: AdditiveOperation) -> None:
    before, text = everything_else(path), definition(path)
    with connected(path) as connection:
        tables = read_all(connection)
    edit(path, operation)
    assert everything_else(path) == before
    with connected(path) as connection:
        after = read_all(connection)
    assert {name: table for name, table in after.items() if name != "order"} == {
        name: table for name, table in tables.items() if name != "order"
    }
    assert after["order"] == expected(tables["order"], operation)
    for comment in ('/* the ", orders ( */', "-- it's a comment, with ( and ,", "-- the key", "/* end */"):
        assert (comment in text) == (comment in definition(path))
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]
    assert plain(path, "PRAGMA foreign_key_check") == []


def expected(table: Table, operation: AdditiveOperation) -> Table:
    values: dict[str, Any] = {}
    match operation:
        case AddCheck(check=check):
            checks = sorted((*table.checks, check), key=lambda item: (item.name or "", item.expression))
            return replace(table, checks=tuple(checks))
        case AddForeignKey(foreign_key=key):
            keys = sorted((*table.foreign_keys, key), key=lambda k: (k.name or "", k.columns, k.target))
            return replace(table, foreign_keys=tuple(keys))
        case AlterType(column=new):
            values = {"type": new.type}
        case SetDefault(column=new):
            values = {"default": new.default}
        case _:
            raise AssertionError(operation)
    columns = tuple(replace(old, **values) if old.name == new.name else old for old in table.columns)
    return replace(table, columns=columns)


def definition(path: Path) -> str:
    return str(plain(path, "SELECT sql FROM sqlite_master WHERE name = 'order' AND type = 'table'")[0][0])


def test_the_new_rules_are_in_force_for_the_same_and_for_other_connections(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, connected(path) as connection:
        assert other.execute('SELECT count(*) FROM "order"').fetchone() == (2,)
        apply(connection, AddCheck(ORDER, Check("few", "price < 100")))
        for session, execute in ((other, other.execute), (connection, connection.exec_driver_sql)):
            with pytest.raises((sqlite3.IntegrityError, sa.exc.IntegrityError), match="few"):
                execute('INSERT INTO "order" (price) VALUES (100)')
            session.rollback()


def test_several_edits_of_one_table_in_one_transaction(path: Path) -> None:
    name = column(path, "select")
    edit(
        path,
        AddCheck(ORDER, Check("c1", "price < 1000")),
        AlterType(ORDER, name, replace(name, type=typed("TEXT"))),
        SetDefault(ORDER, name, replace(name, default="'z'")),
        AddColumn(ORDER, Column("added", typed("VARCHAR(5)"))),
        AddForeignKey(ORDER, ForeignKey("f1", ("added",), TableName("parent"), ("code",))),
        AddUnique(ORDER, Unique("u1", ("id", "price"))),
    )
    with connected(path) as connection:
        table = read_one(connection, "order")
    changed = table.column("select")
    assert changed is not None
    assert (changed.type.spelling, changed.default) == ("TEXT", "'z'")
    assert [check.name for check in table.checks] == [None, "c1", "pos"]
    assert ("f1", ("added",)) in [(key.name, key.columns) for key in table.foreign_keys]
    assert "u1" in [index.name for index in table.indexes if index.unique]
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]


def test_not_null_on_an_empty_table(path: Path) -> None:
    plain(path, 'DELETE FROM "order"')
    for name in ("select", 'Na"me', "untyped", "größe"):
        edit(path, SetNotNull(ORDER, column(path, name)))
        assert not column(path, name).nullable
    with pytest.raises(sqlite3.IntegrityError):
        plain(path, 'INSERT INTO "order" (price) VALUES (1)')


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (AddCheck(ORDER, Check("c", "price > 3")), "break the check"),
        (SetNotNull(ORDER, Column("p", typed("INT"))), "hold NULL in p"),
        (AddForeignKey(ORDER, ForeignKey("f", ("price",), TableName("parent"), ("id",))), "name no row of parent"),
        (AddForeignKey(ORDER, ForeignKey("f", ("price",), TableName("nowhere"), ("id",))), "nowhere"),
        (AddForeignKey(ORDER, ForeignKey("f", ("untyped",), TableName("order"), ("price",))), "foreign key mismatch"),
        (AlterType(ORDER, Column("p", typed("INT")), Column("p", typed("FLOAT"))), "it holds rows"),
        (AddCheck(ORDER, Check("c", "no_such > 3")), "no_such"),
        (AddCheck(ORDER, Check("c", "price > (")), "does not accept"),
    ],
    ids=repr,
)
def test_a_rule_that_rows_break_is_refused_and_nothing_changes(
    path: Path, operation: AdditiveOperation, message: str
) -> None:
    before = list(plain(path, "SELECT * FROM sqlite_master")), everything_else(path)
    with pytest.raises(MigrationError, match=message):
        edit(path, operation)
    assert (list(plain(path, "SELECT * FROM sqlite_master")), everything_else(path)) == before
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_type_of_a_rowid_alias_is_never_edited(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE u (id INT PRIMARY KEY);")
    with pytest.raises(DatabaseError, match="cannot be changed in place"):
        edit(path, AlterType(TableName("t"), Column("id", typed("INTEGER")), Column("id", typed("BIGINT"))))
    with pytest.raises(DatabaseError):
        edit(path, AlterType(TableName("u"), Column("id", typed("INT")), Column("id", typed("INTEGER"))))
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_failed_edit_leaves_the_connection_unable_to_write_definitions(path: Path) -> None:
    with connected(path) as connection:
        with pytest.raises(DatabaseError):
            apply(connection, AddCheck(ORDER, Check("c", "price > 3")))
        with pytest.raises(sa.exc.OperationalError, match="may not be modified"):
            connection.exec_driver_sql("UPDATE sqlite_master SET sql = sql")


def test_the_defensive_mode_is_told_and_nothing_changes(path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)

    before = list(plain(path, "SELECT * FROM sqlite_master"))
    with engine.connect() as connection, pytest.raises(DatabaseError, match="defensive mode") as caught:
        apply(connection, AddCheck(ORDER, Check("c", "price < 1000")))
    engine.dispose()
    assert "revision" in caught.value.next_step
    assert list(plain(path, "SELECT * FROM sqlite_master")) == before


def test_what_is_shown_can_be_shown_before_anything_is_done(path: Path) -> None:
    """Also where an earlier step of the plan makes the column or the table that a later one is about."""
    before = list(plain(path, "SELECT * FROM sqlite_master"))
    operations: list[AdditiveOperation] = [
        AddColumn(ORDER, Column("added", typed("INT"))),
        AddCheck(ORDER, Check("c", "added > 0")),
        AddForeignKey(ORDER, ForeignKey("f", ("added",), TableName("parent"), ("id",))),
        AddForeignKey(TableName("to be made"), ForeignKey("g", ("x",), TableName("parent"), ("id",))),
        AddUnique(ORDER, Unique(None, ("added", "price"))),
    ]
    with connected(path) as connection:
        executor = SqlExecutor(connection, DIALECT)
        shown = [executor.render(operation) for operation in operations]
        assert not connection.in_transaction()
    assert [len(statements) for statements in shown] == [1, 4, 4, 4, 1]
    assert shown[4] == ('CREATE UNIQUE INDEX "main"."order_added_price_key" ON "order" ("added", "price")',)
    assert list(plain(path, "SELECT * FROM sqlite_master")) == before


def test_what_is_shown_does_the_same_in_another_shell(path: Path, tmp_path: Path) -> None:
    """The edits of one plan, pasted one after the other, come to what the engine does itself."""
    other = tmp_path / "other.db"
    script(other, UGLY)
    name = column(path, "select")
    operations: list[AdditiveOperation] = [
        AddCheck(ORDER, Check("c1", "price < 1000")),
        AlterType(ORDER, name, replace(name, type=typed("VARCHAR(99)"))),
        AddForeignKey(ORDER, ForeignKey("f", ("untyped",), TableName("parent"), ("id",))),
        AddColumn(ORDER, Column("added", typed("INT"))),
        SetDefault(ORDER, replace(name, type=typed("VARCHAR(99)")), replace(name, default="'it''s'")),
        AddCheck(ORDER, Check("c2", "price <> 7")),
    ]
    with connected(other) as connection:
        shown = SqlExecutor(connection, DIALECT).render(*operations)
    with closing(sqlite3.connect(other, isolation_level=None)) as shell:
        for statement in ("BEGIN", *shown, "COMMIT"):
            shell.execute(statement)
    edit(path, *operations)
    assert definition(other) == definition(path)
    assert plain(other, "PRAGMA integrity_check") == [("ok",)]


def test_an_edit_that_does_not_take_is_noticed(path: Path) -> None:
    with connected(path) as connection:
        executor = SqlExecutor(connection, DIALECT)
        with pytest.raises(DatabaseError, match="did not take"), DIALECT.transaction(connection, Limits(1)):
            executor.render(AddCheck(ORDER, Check("c1", "price < 1000")))
