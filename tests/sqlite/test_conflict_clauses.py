"""A conflict clause on a table that exists is withheld, and not left out without a word."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests.sqlite._helpers import plain, script


def manager(path: Path) -> MigrationManager:
    wanted = sa.MetaData()
    sa.Table(
        "t",
        wanted,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.Integer, nullable=False, sqlite_on_conflict_not_null="IGNORE"),
        sa.Column("b", sa.Integer),
        sa.Column("added", sa.Integer),
        sa.UniqueConstraint("b", name="uq_b", sqlite_on_conflict="REPLACE"),
    )
    return MigrationManager(MigrationSettings(database_url=f"sqlite:///{path}", metadata=(wanted,)))


def test_they_are_withheld_and_the_rest_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(path, "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a INTEGER, b INTEGER)")
    for _ in range(2):
        withheld = {type(p.change).__name__: p.judgement for p in manager(path).sync().withheld}
        assert {name: (one.rule, one.handled_by) for name, one in withheld.items()} == {
            "ColumnNullabilityChanged": ("obstructed", "create"),
            "TableOptionsChanged": ("table-options-changed", "create"),
            "UniqueAdded": ("obstructed", "create"),
        }
        assert "ON CONFLICT IGNORE" in withheld["ColumnNullabilityChanged"].reason
        assert "ON CONFLICT REPLACE" in withheld["UniqueAdded"].reason
    assert plain(path, "SELECT name FROM pragma_table_info('t')") == [("id",), ("a",), ("b",), ("added",)]
    assert plain(path, "SELECT count(*) FROM pragma_index_list('t')") == [(0,)]


def test_a_new_table_has_them(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    assert manager(path).sync().withheld == ()
    script(path, "INSERT INTO t (id, a, b) VALUES (1, 1, 1), (2, NULL, 2), (3, 1, 1)")
    assert plain(path, "SELECT id, a, b FROM t") == [(3, 1, 1)]
    assert manager(path).plan(force=True).plan.is_empty


def test_a_new_column_has_them(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(
        path,
        "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, b INTEGER, CONSTRAINT uq_b UNIQUE (b) ON CONFLICT REPLACE)",
    )
    assert manager(path).sync().withheld == ()
    script(path, "INSERT INTO t (id, a) VALUES (1, NULL)")
    assert plain(path, "SELECT id FROM t") == []
