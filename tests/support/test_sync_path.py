"""The watcher itself can fail: it sees what it must see, and only that."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support import sync_path


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE t",
        "alter table t drop column a",
        "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
        'TRUNCATE "t"',
        "ALTER TABLE t RENAME TO u",
        "DELETE FROM t",
    ],
)
def test_destructive_statements_are_recognised(statement: str) -> None:
    assert sync_path.is_destructive(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (a text DEFAULT 'DROP TABLE t')",
        'ALTER TABLE t ADD COLUMN "drop" integer',
        "DELETE FROM __schema_versions__ WHERE doctype_name = 'x'",
        'DELETE FROM "__schema_state__"',
        "CREATE INDEX dropped ON t (a)",
    ],
)
def test_harmless_statements_are_not(statement: str) -> None:
    assert not sync_path.is_destructive(statement)


def test_a_destructive_statement_from_the_sync_path_is_caught_and_any_other_is_not() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a integer)")
        connection.exec_driver_sql("DROP TABLE t")
        assert sync_path.caught == []
        scope = {"connection": connection}
        code = compile(
            "connection.exec_driver_sql('CREATE TABLE t (a)'); connection.exec_driver_sql('DROP TABLE t')",
            "x/services/plan_applier.py",
            "exec",
        )
        exec(code, scope)
    assert sync_path.caught == ["DROP TABLE t"]
    sync_path.caught.clear()
