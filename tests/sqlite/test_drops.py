"""What the pruner drops on SQLite, with what stands on it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from framework_m_migrations.adapters.sql.dialects.sqlite.types import declared_type
from framework_m_migrations.adapters.sql.pruner import SqlPruner
from framework_m_migrations.domain.errors import DatabaseError, MigrationError
from framework_m_migrations.domain.operations import (
    DestructiveOperation,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropNotNull,
    DropTable,
)
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import Column, Table, TableName
from tests.sqlite._helpers import DIALECT, connected, plain, read_one, script

T = TableName("t")
SETUP = """
CREATE TABLE p (id INTEGER PRIMARY KEY);
CREATE TABLE t (
    id INTEGER PRIMARY KEY, -- stays
    a INT NOT NULL CHECK (a > 0), /* , */
    b INT CONSTRAINT b_inline REFERENCES p(id) CONSTRAINT b_pos CHECK (b > 0),
    c TEXT, d TEXT UNIQUE, flag BOOLEAN,
    CONSTRAINT fk_a FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE,
    FOREIGN KEY (c, a) REFERENCES p (id, id),
    CONSTRAINT ck_flag CHECK (flag IN (0, 1)),
    CONSTRAINT ck_both CHECK (a <> b) CONSTRAINT last CHECK (c <> 'a, b')
);
CREATE INDEX ix_a ON t (a);
CREATE INDEX ix_ab ON t (b, lower(a)) WHERE c > 'a';
CREATE INDEX ix_where ON t (c) WHERE "A" > 5;
CREATE INDEX ix_b ON t (b);
CREATE UNIQUE INDEX uq_c ON t (c);
INSERT INTO p VALUES (1), (2);
INSERT INTO t VALUES (1, 1, 2, 'x', 'y', 1);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    script(path, SETUP)
    return path


def prune(path: Path, *operations: DestructiveOperation) -> tuple[Table, Table]:
    """Apply in one transaction; the table before and after."""
    with connected(path) as connection:
        before = read_one(connection, "t")
        pruner = SqlPruner(connection, DIALECT)
        with DIALECT.transaction(connection, Limits(1)):
            for operation in operations:
                pruner.apply(operation)
        after = read_one(connection, "t")
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]
    return before, after


def test_a_named_check_or_foreign_key(path: Path) -> None:
    for name in ("ck_both", "fk_a", "b_inline", "last", "b_pos"):
        before, after = prune(path, DropConstraint(T, name, "check"))
        assert after == replace(
            before,
            checks=tuple(item for item in before.checks if item.name != name),
            foreign_keys=tuple(item for item in before.foreign_keys if item.name != name),
        )
        assert after != before
    assert plain(path, "SELECT * FROM t") == [(1, 1, 2, "x", "y", 1)]
    text = plain(path, "SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]
    assert "-- stays" in text
    assert "/* , */" in text


def test_a_unique_constraint_that_is_an_index(path: Path) -> None:
    before, after = prune(path, DropConstraint(T, "uq_c", "unique"))
    assert after == replace(before, indexes=tuple(item for item in before.indexes if item.name != "uq_c"))


def test_what_needs_a_copy_of_the_table_is_refused(path: Path) -> None:
    before = plain(path, "SELECT * FROM sqlite_master")
    with pytest.raises(DatabaseError, match="cannot be dropped in place"):
        prune(path, DropConstraint(T, "nothing of this name", "unique"))
    with pytest.raises(Exception, match="cannot drop UNIQUE column"):
        prune(path, DropColumn(T, "d"))
    with pytest.raises(Exception, match="PRIMARY KEY"):
        prune(path, DropColumn(T, "id"))
    assert plain(path, "SELECT * FROM sqlite_master") == before


def test_a_column_with_its_indexes_foreign_keys_and_own_checks(path: Path) -> None:
    with pytest.raises(Exception, match=r"ck_both|no such column|error in table t"):
        prune(path, DropColumn(T, "a"))
    before, after = prune(path, DropConstraint(T, "ck_both", "check"), DropColumn(T, "a"), DropColumn(T, "flag"))
    assert [column.name for column in after.columns] == ["id", "b", "c", "d"]
    assert [index.name for index in after.indexes] == ["ix_b", "uq_c"]
    assert [key.name for key in after.foreign_keys] == ["b_inline"]
    assert {check.name for check in after.checks} == {"b_pos", "last"}
    assert len(before.foreign_keys) == 3
    assert plain(path, "SELECT * FROM t") == [(1, 2, "x", "y")]


def test_a_column_with_an_inline_foreign_key(path: Path) -> None:
    _, after = prune(path, DropConstraint(T, "ck_both", "check"), DropColumn(T, "b"))
    assert [column.name for column in after.columns] == ["id", "a", "c", "d", "flag"]
    assert [key.columns for key in after.foreign_keys] == [("c", "a"), ("a",)]


def test_not_null_an_index_and_a_table(path: Path) -> None:
    before, after = prune(path, DropNotNull(T, Column("a", declared_type("INT"))), DropIndex(T, "ix_b"))
    changed = after.column("a")
    assert changed is not None
    assert changed.nullable
    assert len(after.indexes) == len(before.indexes) - 1
    with connected(path) as connection, DIALECT.transaction(connection, Limits(1)):
        SqlPruner(connection, DIALECT).apply(DropTable(T))
    assert plain(path, "SELECT name FROM sqlite_master") == [("p",)]


def test_the_statements_can_be_shown_without_doing_anything(path: Path) -> None:
    before = plain(path, "SELECT * FROM sqlite_master")
    with connected(path) as connection:
        pruner = SqlPruner(connection, DIALECT)
        shown = pruner.render(DropColumn(T, "a"))
        connection.rollback()
        with pytest.raises(MigrationError):
            pruner.render(DropConstraint(T, "missing", "check"))
    assert shown[:3] == ('DROP INDEX "main"."ix_a"', 'DROP INDEX "main"."ix_ab"', 'DROP INDEX "main"."ix_where"')
    assert shown[-1] == 'ALTER TABLE "main"."t" DROP COLUMN "a"'
    assert plain(path, "SELECT * FROM sqlite_master") == before
