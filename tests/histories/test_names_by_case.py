"""Names that differ in the case of letters only: two names to PostgreSQL, one to SQLite. Nothing is ever lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import InvalidMetadata, NameInOtherCase
from tests._postgres import PostgresDatabase

ROW = {"id": 1, "name": "kept"}


def manager(url: str, *columns: str, table: str = "t", also: str | None = None) -> MigrationManager:
    metadata = sa.MetaData()
    for name in (table, also) if also else (table,):
        key = sa.Column("id", sa.Integer, primary_key=True)
        sa.Table(name, metadata, key, *(sa.Column(column, sa.String(20)) for column in columns))
    return MigrationManager(MigrationSettings(database_url=url, metadata=(metadata,)))


def rows(url: str, table: str = "t") -> list[dict[str, object]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f'SELECT * FROM "{table}"').mappings().all()
    engine.dispose()
    return [dict(row) for row in found]


def begin(url: str) -> None:
    manager(url, "name").sync()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t (id, name) VALUES (1, 'kept')")
    engine.dispose()


@pytest.mark.parametrize("allow_drop", [False, True])
@pytest.mark.parametrize(("column", "table"), [("Name", "t"), ("name", "T")])
def test_sqlite_takes_another_case_for_the_same_name(tmp_path: Path, column: str, table: str, allow_drop: bool) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    begin(url)
    for _ in range(2):
        with pytest.raises(NameInOtherCase, match="the same name to this database"):
            manager(url, column, table=table).sync(allow_drop=allow_drop)
        assert rows(url) == [ROW]
    manager(url, "name").sync()
    assert rows(url) == [ROW]


@pytest.mark.parametrize("declared", [{"columns": ("name", "Name")}, {"columns": ("name",), "also": "T"}])
def test_sqlite_refuses_both_cases_at_once(tmp_path: Path, declared: dict[str, object]) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    begin(url)
    columns: tuple[str, ...] = declared["columns"]  # type: ignore[assignment]
    with pytest.raises(InvalidMetadata):
        manager(url, *columns, also="T" if "also" in declared else None).sync()
    assert rows(url) == [ROW]


def test_postgresql_has_both_and_drops_what_it_is_told_to(postgres_database: PostgresDatabase) -> None:
    url = postgres_database.sync_url
    begin(url)
    both = manager(url, "name", "Name", also="T")
    both.sync()
    assert both.plan(force=True).plan.is_empty
    assert rows(url) == [{**ROW, "Name": None}]
    assert rows(url, "T") == []
    lower = manager(url, "name")
    lower.sync(allow_drop=True)
    assert rows(url) == [ROW]
    assert lower.plan(force=True).plan.is_empty
