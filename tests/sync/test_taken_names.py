"""A name that an index shall have and something else has holds up that index alone, until the name is free."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests._postgres import PostgresDatabase
from tests.versions.support import Apps


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    return str(request.getfixturevalue("postgres_database").sync_url)


def declared(*tables: tuple[str, str | None, bool]) -> sa.MetaData:
    """Tables as (name, name of the index, whether there is one more column)."""
    wanted = sa.MetaData()
    for name, index, more in tables:
        sa.Table(
            name,
            wanted,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("x", sa.Integer),
            *([sa.Column("more", sa.Integer)] if more else []),
            *([sa.Index(index, "x")] if index else []),
        )
    return wanted


def manager(url: str, *tables: tuple[str, str | None, bool]) -> MigrationManager:
    return MigrationManager(MigrationSettings(database_url=url, metadata=(declared(*tables),), allow_empty=True))


def indexes(url: str, table: str) -> list[str | None]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return [index["name"] for index in sa.inspect(engine).get_indexes(table)]


def columns(url: str, table: str) -> list[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return [column["name"] for column in sa.inspect(engine).get_columns(table)]


@pytest.mark.parametrize("exists", [True, False], ids=["table exists", "table is new"])
def test_the_rest_is_applied_and_a_drop_frees_the_name(url: str, exists: bool) -> None:
    manager(url, ("a", "ix_x", False), *([("b", None, False)] if exists else [])).sync()
    second = manager(url, ("a", None, False), ("b", "ix_x", True))
    result = second.sync()
    told = {type(p.change).__name__: (p.judgement.rule, p.judgement.handled_by) for p in result.withheld}
    assert told == {"IndexAdded": ("obstructed", "sync --allow-drop"), "IndexRemoved": ("surplus", "sync --allow-drop")}
    assert "table a" in next(p.judgement.reason for p in result.withheld if p.judgement.rule == "obstructed")
    assert (columns(url, "b"), indexes(url, "a"), indexes(url, "b")) == (["id", "x", "more"], ["ix_x"], [])
    second.sync(allow_drop=True)
    assert (indexes(url, "a"), indexes(url, "b")) == ([], ["ix_x"])
    assert second.plan(force=True).plan.is_empty


def test_a_table_that_goes_frees_the_names_of_its_indexes(url: str) -> None:
    manager(url, ("a", "ix_x", False), ("other", None, False)).sync()
    second = manager(url, ("b", "ix_x", False), ("other", None, False))
    assert {p.judgement.handled_by for p in second.sync().withheld} == {"sync --allow-drop"}
    assert indexes(url, "b") == []
    second.sync(allow_drop=True)
    assert indexes(url, "b") == ["ix_x"]
    assert second.plan(force=True).plan.is_empty


@pytest.mark.parametrize("known", ["", "a", "b", "ab"], ids=["both new", "a stands", "b stands", "both stand"])
def test_two_tables_that_want_one_name_share_nothing_else(url: str, known: str) -> None:
    if known:
        manager(url, *((name, None, False) for name in known)).sync()
    both = manager(url, ("a", "ix_x", True), ("b", "ix_x", True))
    for _ in range(2):
        withheld = both.sync(allow_drop=True, force=True).withheld
        assert [(p.change.table.name, p.judgement.rule, p.judgement.handled_by) for p in withheld] == [
            ("b", "obstructed", "manual")
        ]
        assert "table a" in withheld[0].judgement.reason
        assert (columns(url, "a"), columns(url, "b")) == (["id", "x", "more"],) * 2
        assert (indexes(url, "a"), indexes(url, "b")) == (["ix_x"], [])
    manager(url, ("a", "ix_x", True), ("b", "ix_b", True)).sync()
    assert indexes(url, "b") == ["ix_b"]


def test_it_is_told_the_same_when_only_one_of_both_is_looked_at(url: str) -> None:
    manager(url, ("a", "ix_x", False), ("b", None, False)).sync()
    second = manager(url, ("a", "ix_x", False), ("b", "ix_x", True))
    for force in (False, True):
        assert [p.change.table.name for p in second.sync(force=force).withheld] == ["b"]


def test_a_new_table_has_its_name_before_an_index_of_the_same_plan(url: str) -> None:
    result = manager(url, ("a", "b", False), ("b", None, False)).sync()
    assert [(p.change.table.name, p.judgement.rule) for p in result.withheld] == [("a", "obstructed")]
    assert (indexes(url, "a"), columns(url, "b")) == ([], ["id", "x"])


def test_a_new_table_whose_name_an_index_has_waits_with_what_refers_to_it(url: str) -> None:
    manager(url, ("a", "b", False)).sync()
    wanted = declared(("a", None, False), ("b", None, False), ("c", None, True))
    wanted.tables["c"].append_constraint(sa.ForeignKeyConstraint(["x"], ["b.id"], name="fk_c"))
    second = MigrationManager(MigrationSettings(database_url=url, metadata=(wanted,)))
    told = {(p.change.table.name, p.judgement.rule, p.judgement.handled_by) for p in second.sync().withheld}
    assert told == {
        ("a", "surplus", "sync --allow-drop"),
        ("b", "obstructed", "sync --allow-drop"),
        ("c", "waits", "create"),
    }
    assert columns(url, "c") == ["id", "x", "more"]
    second.sync(allow_drop=True)
    assert (indexes(url, "a"), columns(url, "b")) == ([], ["id", "x"])


def test_names_that_differ_in_case_are_one_to_sqlite_alone(url: str) -> None:
    result = manager(url, ("a", "ix_x", False), ("b", "IX_X", False)).sync()
    assert [p.change.table.name for p in result.withheld] == (["b"] if url.startswith("sqlite") else [])


def test_a_name_that_stays_taken_is_told_each_time(url: str) -> None:
    manager(url, ("a", None, False), ("b", None, False)).sync()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE admins (x INTEGER)")
        connection.exec_driver_sql("CREATE INDEX ix_x ON admins (x)")
        connection.exec_driver_sql("CREATE VIEW ix_view AS SELECT 1 AS one")
    second = manager(url, ("a", "ix_x", True), ("b", "ix_view", True))
    for _ in range(2):
        judged = [p.judgement for p in second.sync(allow_drop=True).withheld if p.judgement.rule == "obstructed"]
        assert [one.handled_by for one in judged] == ["manual", "manual"]
    assert columns(url, "a") == columns(url, "b") == ["id", "x", "more"]
    assert indexes(url, "admins") == ["ix_x"]


def test_create_writes_what_it_makes_room_for_itself(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    apps = Apps(tmp_path)
    apps.file("app_of_names", "models.py", "")
    apps.revision("app_of_names", "0000first000", labels=("app_of_names",))

    def release(*tables: tuple[str, str | None, bool]) -> MigrationManager:
        return MigrationManager(
            MigrationSettings(database_url=url, metadata=(declared(*tables),), apps=("app_of_names",), path=tmp_path)
        )

    first = release(("a", "ix_x", False), ("b", None, False))
    first.run()
    first.sync()
    second = release(("a", None, False), ("b", "ix_x", False), ("c", "ix_c", False), ("d", "ix_c", False))
    made = second.create("names", app="app_of_names")
    assert [text.split(":")[0] for text in made.left_out] == ["d"]
    second.run()
    assert [indexes(url, name) for name in "abcd"] == [[], ["ix_x"], ["ix_c"], []]


@pytest.mark.postgres
@pytest.mark.parametrize("known", [False, True], ids=["new tables", "existing tables"])
def test_constraints_share_the_names_of_indexes_in_postgresql(postgres_database: PostgresDatabase, known: bool) -> None:
    """Two of one declared name; of two without one, whose names would be the same, the server numbers the second."""
    names = ("order", "order_item", "first", "second")

    def release(*uniques: tuple[str, str, str | None]) -> MigrationManager:
        wanted = sa.MetaData()
        for name in names:
            columns = (sa.Column(column, sa.Integer) for column in ("code", "item_code"))
            table = sa.Table(name, wanted, sa.Column("id", sa.Integer, primary_key=True), *columns)
            for owner, column, given in uniques:
                if owner == name:
                    table.append_constraint(sa.UniqueConstraint(column, name=given))
        return MigrationManager(MigrationSettings(database_url=postgres_database.sync_url, metadata=(wanted,)))

    if known:
        release().sync()
        with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
            for name in names:
                connection.execute(f'INSERT INTO "{name}" VALUES (1, 1, 1)'.encode())
    both = release(
        ("order", "item_code", None), ("order_item", "code", None), ("first", "code", "uq"), ("second", "code", "uq")
    )
    for force in (False, True):
        told = {p.change.table.name: p.judgement.rule for p in both.sync(force=force).withheld}
        assert told == {"second": "obstructed"}
