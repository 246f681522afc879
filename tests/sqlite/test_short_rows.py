"""Rows from before a column was added keep their values when the column's default changes.

ALTER TABLE ADD COLUMN writes no row: SQLite reads the default from the definition for every record that is shorter than
the table (https://www.sqlite.org/fileformat2.html, 2.1). A default that is changed in the definition alone would
change all of them. Found with the history of "LMS Quiz" in the corpus.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests.sqlite._helpers import plain, script

CASES = [
    pytest.param("INTEGER NOT NULL DEFAULT 0", sa.Column("c", sa.Integer, nullable=False, server_default="1"), 0),
    pytest.param("VARCHAR(9) DEFAULT 'it''s'", sa.Column("c", sa.String(9), server_default="new"), "it's"),
    pytest.param("VARCHAR(9) DEFAULT 7", sa.Column("c", sa.String(9), server_default="new"), "7"),
    pytest.param("VARCHAR(9)", sa.Column("c", sa.String(9), server_default="new"), None),
    pytest.param("VARCHAR(9) DEFAULT 'old'", sa.Column("c", sa.String(9)), "old"),
    pytest.param(
        "NUMERIC(21, 9) NOT NULL DEFAULT '0.0'",
        sa.Column("c", sa.Numeric(21, 9), nullable=False, server_default="2.5"),
        0,
    ),
    pytest.param("FLOAT DEFAULT 0.5", sa.Column("c", sa.Float, server_default="1.5"), 0.5),
    pytest.param("BOOLEAN DEFAULT true", sa.Column("c", sa.Boolean, server_default=sa.false()), 1),
    pytest.param("JSON DEFAULT '{\"a\": 1}'", sa.Column("c", sa.JSON, server_default="{}"), '{"a": 1}'),
]


def settle(path: Path, column: sa.Column[object]) -> None:
    metadata = sa.MetaData()
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), column)
    manager = MigrationManager(MigrationSettings(database_url=f"sqlite:///{path}", metadata=(metadata,)))
    manager.sync()
    assert manager.plan(force=True).plan.is_empty


@pytest.mark.parametrize(("added", "column", "value"), CASES)
def test_the_values_stay(tmp_path: Path, added: str, column: sa.Column[object], value: object) -> None:
    path = tmp_path / "app.db"
    script(
        path,
        f"CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY); INSERT INTO t VALUES (1), (2);"
        f"ALTER TABLE t ADD COLUMN c {added}; INSERT INTO t (id) VALUES (3);",
    )
    before = plain(path, "SELECT id, c, typeof(c) FROM t ORDER BY id")
    assert [row[1] for row in before] == [value] * 3
    settle(path, column)
    assert plain(path, "SELECT id, c, typeof(c) FROM t ORDER BY id") == before


def test_a_column_that_this_engine_added(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(path, "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY); INSERT INTO t VALUES (1);")
    for default in ("1", "2", "3"):
        settle(path, sa.Column("c", sa.Integer, nullable=False, server_default=default))
    assert plain(path, "SELECT id, c FROM t") == [(1, 1)]


def test_no_trigger_of_the_application_fires(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(
        path,
        "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY); INSERT INTO t VALUES (1);"
        "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 0;"
        "CREATE TRIGGER sealed BEFORE UPDATE ON t BEGIN SELECT RAISE(ABORT, 'append-only'); END;",
    )
    metadata = sa.MetaData()
    sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("c", sa.Integer, server_default="1"),
        sa.Column("added", sa.Integer),
    )
    manager = MigrationManager(MigrationSettings(database_url=f"sqlite:///{path}", metadata=(metadata,)))
    (withheld,) = manager.sync().withheld
    assert (withheld.judgement.rule, withheld.judgement.handled_by) == ("obstructed", "create")
    assert "sealed" in withheld.judgement.reason
    assert plain(path, "SELECT id, c, added FROM t") == [(1, 0, None)]


def test_a_trigger_is_no_matter_where_no_row_holds_the_old_default(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(
        path,
        "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, c INTEGER DEFAULT 0); INSERT INTO t VALUES (1, 5);"
        "CREATE TRIGGER sealed BEFORE UPDATE ON t BEGIN SELECT RAISE(ABORT, 'append-only'); END;",
    )
    settle(path, sa.Column("c", sa.Integer, server_default="1"))
    assert plain(path, "SELECT id, c FROM t") == [(1, 5)]
