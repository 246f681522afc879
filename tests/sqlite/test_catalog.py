"""The catalog reader on databases made by hand, by ALTER TABLE, by other programs; and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import Check, ForeignKey, IndexKey, TableName, Unique
from tests.sqlite._helpers import DIALECT, connected, plain, read_all, read_one, script, wanted


def statements_of(connection: sa.Connection) -> list[str]:
    seen: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *event: seen.append(event[2]))
    return seen


def many_tables(path: Path, count: int) -> None:
    metadata = sa.MetaData()
    for number in range(count):
        columns = [sa.Column(f"c{i}", sa.String(140), server_default="x", index=i % 3 == 0) for i in range(22)]
        table = sa.Table(f"t{number}", metadata, sa.Column("id", sa.Uuid, primary_key=True), *columns)
        table.append_constraint(sa.UniqueConstraint("c1", "c2", name=f"uq{number}"))
        if number:
            table.append_column(sa.Column("link", sa.ForeignKey(f"t{number - 1}.id", name=f"fk{number}")))
    with connected(path) as connection:
        connection.exec_driver_sql("BEGIN")
        metadata.create_all(connection)
        connection.commit()


def test_reading_takes_the_same_few_statements_for_any_number_of_tables(tmp_path: Path) -> None:
    counts = set()
    for count in (1, 40):
        path = tmp_path / f"{count}.db"
        many_tables(path, count)
        with connected(path) as connection:
            inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset())
            for tables in (None, [TableName("t0")], [TableName("t0"), TableName("missing")]):
                seen = statements_of(connection)
                catalog = inspector.read(tables)
                assert len(catalog.names) == count
                assert len(catalog.tables) == (count if tables is None else 1)
                counts.add(len(seen))
    assert counts == {4}


BY_HAND = """
create table  Parent ( ID integer primary key autoincrement , Code text unique ) ;
CREATE TABLE IF NOT EXISTS child(
  id INT PRIMARY KEY NOT NULL,
  parent_id integer not null references parent,           -- the key is meant
  other constraint fk_other references PARENT ( CODE ) on update cascade on delete no action,
  constraint both unique ( id , Parent_ID ) on conflict replace,
  check(id>0)check( parent_id /* comment ) */ > 0 )
);
alter table child add column added varchar(3) not null default 'a''b' check (length(added) < 5);
alter table child add column linked integer references parent(id) on delete cascade;
alter table child rename column other to renamed;
create unique index if not exists main.[Ix One] on child ( Added collate nocase desc , lower( added ) ) where ID > 3 ;
create table copied as select id, added from child;
create view looks as select * from child;
create virtual table search using fts5(body);
create virtual table box using rtree(id, a, b);
create temp table secret (a);
create trigger watch after insert on child begin select 1; end;
analyze;
"""


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    path = tmp_path / "hand.db"
    script(path, BY_HAND)
    return path


def test_only_ordinary_tables_are_there(by_hand: Path) -> None:
    with connected(by_hand) as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE child (wrong)")
        connection.exec_driver_sql("CREATE TABLE __schema_versions__ (a)")
        inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset({"__schema_versions__"}))
        catalog = inspector.read()
    assert {name.name for name in catalog.names} == {"Parent", "child", "copied"}
    assert catalog.names == catalog.tables.keys()
    assert len(catalog.tables[TableName("child")].columns) == 5


def test_a_table_made_by_hand_is_understood(by_hand: Path) -> None:
    with connected(by_hand) as connection:
        tables = read_all(connection)
    child, parent = tables["child"], tables["Parent"]
    assert [(c.name, c.type.spelling, c.nullable, c.default) for c in child.columns] == [
        ("id", "INT", False, None),
        ("parent_id", "INTEGER", False, None),
        ("renamed", "", True, None),
        ("added", "VARCHAR(3)", False, "'a''b'"),
        ("linked", "INTEGER", True, None),
    ]
    assert child.primary_key is not None
    assert child.primary_key.columns == ("id",)
    assert child.uniques == (Unique("both", ("id", "parent_id"), (("on_conflict", "REPLACE"),)),)
    assert child.checks == (Check(None, "id > 0"), Check(None, "length(added) < 5"), Check(None, "parent_id > 0"))
    assert set(child.foreign_keys) == {
        ForeignKey(None, ("parent_id",), TableName("Parent"), ("ID",)),
        ForeignKey("fk_other", ("renamed",), TableName("Parent"), ("CODE",), on_update="CASCADE"),
        ForeignKey(None, ("linked",), TableName("Parent"), ("id",), on_delete="CASCADE"),
    }
    (index,) = child.indexes
    assert (index.name, index.unique, index.where) == ("Ix One", True, "id > 3")
    assert index.keys == (IndexKey("added", None, "COLLATE NOCASE DESC"), IndexKey(None, "lower(added)"))
    assert parent.options == (("autoincrement", "true"),)
    assert parent.uniques == (Unique(None, ("Code",)),)
    assert [column.name for column in tables["copied"].columns] == ["id", "added"]


def test_a_subset_knows_the_keys_of_tables_that_are_not_in_it(by_hand: Path) -> None:
    with connected(by_hand) as connection:
        child = read_one(connection, "child")
        assert child == read_all(connection)["child"]


def test_tables_of_an_attached_database(by_hand: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    script(other, "CREATE TABLE child (x INTEGER PRIMARY KEY, y REFERENCES child); CREATE INDEX ix ON child (y);")
    with connected(by_hand) as connection:
        connection.exec_driver_sql(f"ATTACH '{other}' AS tenant")
        catalog = DIALECT.inspector(connection, schema=None, ignored=frozenset()).read([TableName("child", "tenant")])
        assert list(catalog.tables) == [TableName("child", "tenant")]
        table = catalog.tables[TableName("child", "tenant")]
        assert [index.name for index in table.indexes] == ["ix"]
        assert table.foreign_keys[0].target == TableName("child", "tenant")
        assert TableName("child") in catalog.names
        as_default = DIALECT.inspector(connection, schema="tenant", ignored=frozenset()).read()
        assert [str(name) for name in as_default.tables] == ["child"]
        assert [column.name for column in as_default.tables[TableName("child")].columns] == ["x", "y"]


def test_the_token_changes_with_ddl_of_anyone_and_not_with_rows(by_hand: Path) -> None:
    with connected(by_hand) as connection:
        inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset())
        seen = statements_of(connection)
        first = inspector.catalog_token()
        assert first is not None
        assert len(seen) == 1
        connection.rollback()
        plain(by_hand, "INSERT INTO Parent (Code) VALUES ('x')")
        assert inspector.catalog_token() == first
        tokens = [first]
        for sql in (
            "CREATE TABLE extra (a)",
            "CREATE INDEX ix_extra ON extra (a)",
            "ALTER TABLE extra ADD COLUMN b",
            "ALTER TABLE extra RENAME COLUMN b TO c",
            "DROP INDEX ix_extra",
            "DROP TABLE extra",
        ):
            connection.rollback()
            plain(by_hand, sql)
            token = inspector.catalog_token()
            assert token is not None
            tokens.append(token)
    assert len(set(tokens)) == 7


def test_reading_sees_one_state_while_another_program_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "busy.db"
    script(path, "PRAGMA journal_mode = WAL; CREATE TABLE t (a); CREATE TABLE u (a);")
    with connected(path) as connection:
        count = 0

        def meddle(*event: object) -> None:
            nonlocal count
            count += 1
            plain(path, f"CREATE INDEX ix{count} ON t (a)")
            plain(path, f"ALTER TABLE u ADD COLUMN c{count}")

        sa.event.listen(connection, "before_cursor_execute", meddle)
        tables = read_all(connection)
        sa.event.remove(connection, "before_cursor_execute", meddle)
        assert count >= 4
        assert len(tables["t"].indexes) <= 1
        assert len(tables["u"].columns) == len(tables["t"].indexes) + 1


def adopted(sql: str, table: sa.Table) -> tuple[int, list[object]]:
    """Differences between a table made by hand and the wanted one: before and after normalising."""
    with connected() as connection:
        connection.exec_driver_sql(sql)
        connection.commit()
        actual = read_all(connection)[table.name]
        capabilities = DIALECT.capabilities(connection.dialect)
        want = wanted(table, connection.dialect)
        inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset())
        (respelt,) = inspector.normalise([(want, actual)])
        found = diff_table(want, actual, None, capabilities), diff_table(respelt, actual, None, capabilities)
        connection.rollback()
    return len(found[0]), [type(change).__name__ for change in found[1]]


def test_other_words_for_the_same_are_no_difference() -> None:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("Name", sa.String(10), nullable=False),
        sa.Column("amount", sa.Numeric(10, 2)),
        sa.Column("flag", sa.Boolean),
        sa.Column("at", sa.DateTime),
        sa.Column("n", sa.Integer, server_default="5"),
    )
    table.append_constraint(sa.CheckConstraint(table.c.Name != "x", name="ck"))
    sa.Index("ix", sa.func.lower(table.c.Name), sqlite_where=table.c.Name > "a")
    sql = """CREATE TABLE t (
        id integer NOT NULL PRIMARY KEY, name_ text, NAME character varying(10) NOT NULL,
        amount decimal(10,2), flag bool, at timestamp, n int default 5, CONSTRAINT ck CHECK (NAME <> 'x'))"""
    before, after = adopted(sql.replace("name_ text, NAME", '"Name"'), table)
    assert before > 3
    assert after == ["IndexAdded"]


def test_the_rowid_is_no_matter_of_words() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    assert adopted("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)", table)[1] == ["ColumnTypeChanged"]
    with connected() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)")
        inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset())
        actual = inspector.read().tables[TableName("t")]
        want = wanted(table, connection.dialect)
        assert inspector.type_change(want.name, actual.columns[0], want.columns[0]) is TypeChange.INCOMPATIBLE
        assert inspector.type_change(want.name, actual.columns[1], want.columns[0]) is TypeChange.EQUAL


def test_what_differs_stays_different() -> None:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.String(10), server_default="X"),
        sa.Column("b", sa.Integer, server_default="1"),
        sa.CheckConstraint("a <> 'X'", name="ck"),
    )
    sql = """CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a VARCHAR(10) DEFAULT 'x', b INTEGER DEFAULT '01',
        CONSTRAINT ck CHECK (a <> 'x'))"""
    before, after = adopted(sql, table)
    assert before == 3
    assert after == ["ColumnDefaultChanged", "ColumnDefaultChanged", "CheckChanged"]
