"""What a rebuild on SQLite must not take along, and what becomes of foreign keys meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.domain.errors import RevisionError, RevisionFailed, StorageFull
from tests.versions.support import Apps, Bench

A1, A2 = "aaaaaaaaaaa1", "aaaaaaaaaaa2"
FAMILY = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20), age INTEGER)",
    "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)",
    "INSERT INTO parent VALUES (1, 'Ann', 50), (2, 'Bob', 60)",
    "INSERT INTO child VALUES (10, 1), (11, 1), (12, 2)",
)
REBUILD = """
with op.batch_alter_table("parent") as batch_op:
    batch_op.alter_column("name", existing_type=sa.String(20), type_=sa.String(40))
"""


def enforce(bench: Bench) -> None:
    """As applications do: on the driver's connection, outside any transaction."""
    driver: Any = bench.connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=ON")
    assert enforced(bench)


def enforced(bench: Bench) -> bool:
    return bench.rows("PRAGMA foreign_keys") == [(1,)]


def test_rebuild_does_not_cascade(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*FAMILY)
    enforce(sqlite_bench)
    apps.revision("wms", A1, REBUILD)
    sqlite_bench.track().upgrade(A1)
    assert sqlite_bench.rows("SELECT * FROM child ORDER BY id") == [(10, 1), (11, 1), (12, 2)]
    assert sqlite_bench.rows("SELECT * FROM parent ORDER BY id") == [(1, "Ann", 50), (2, "Bob", 60)]
    assert enforced(sqlite_bench)
    with pytest.raises(sa.exc.IntegrityError):
        sqlite_bench.run("INSERT INTO child VALUES (13, 99)")


def test_rebuild_without_the_guard_would_cascade(sqlite_bench: Bench) -> None:
    """The trap itself, so that the test above cannot pass for another reason."""
    sqlite_bench.run(*FAMILY)
    enforce(sqlite_bench)
    sqlite_bench.run("DROP TABLE parent")
    assert sqlite_bench.rows("SELECT * FROM child") == []


def test_a_full_disk_that_a_revision_catches_leaves_nothing(sqlite_bench: Bench, apps: Apps) -> None:
    """SQLite rolls back by itself then: what the revision sends next would be committed at once."""
    body = """
op.execute("CREATE TABLE made (a BLOB)")
op.execute("PRAGMA max_page_count = 20")
try:
    op.execute("INSERT INTO made VALUES (zeroblob(1000000))")
except Exception:
    pass
op.execute("CREATE TABLE left_behind (a INTEGER)")
"""
    apps.revision("wms", A1, body)
    with pytest.raises(StorageFull, match="full"):
        sqlite_bench.track().upgrade(A1)
    assert sqlite_bench.rows("SELECT name FROM sqlite_master WHERE name IN ('made', 'left_behind')") == []


def test_orphans_made_by_a_revision_are_refused(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*FAMILY)
    enforce(sqlite_bench)
    apps.revision("wms", A1, 'op.execute("DELETE FROM parent WHERE id = 1")')
    track = sqlite_bench.track()
    with pytest.raises(RevisionFailed, match="2 of child without a row in parent"):
        track.upgrade(A1)
    assert len(sqlite_bench.rows("SELECT * FROM parent")) == 2
    assert track.current() == frozenset()
    assert enforced(sqlite_bench)


def test_orphans_from_before_are_tolerated(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*FAMILY, "INSERT INTO child VALUES (13, 99)")
    enforce(sqlite_bench)
    apps.revision("wms", A1, REBUILD)
    track = sqlite_bench.track()
    track.upgrade(A1)
    assert track.current() == {A1}
    assert len(sqlite_bench.rows("SELECT * FROM child")) == 4


def test_enforcement_stays_off_where_it_was_off(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*FAMILY)
    apps.revision("wms", A1, REBUILD)
    sqlite_bench.track().upgrade(A1)
    assert not enforced(sqlite_bench)


def test_enforcement_comes_back_after_a_failure(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*FAMILY)
    enforce(sqlite_bench)
    apps.revision("wms", A1, f'{REBUILD}\nraise ValueError("no")')
    with pytest.raises(RevisionFailed):
        sqlite_bench.track().upgrade(A1)
    assert enforced(sqlite_bench)
    assert sqlite_bench.schema()["parent"]["columns"][1]["type"] == "VARCHAR(20)"


def test_a_transaction_of_the_caller_is_refused(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*FAMILY)
    enforce(sqlite_bench)
    apps.revision("wms", A1, REBUILD)
    track = sqlite_bench.track()
    sqlite_bench.connection.exec_driver_sql("INSERT INTO parent VALUES (3, 'Eve', 1)")
    with pytest.raises(RevisionError, match="inside a transaction"):
        track.upgrade(A1)
    sqlite_bench.connection.rollback()
    assert len(sqlite_bench.rows("SELECT * FROM child")) == 3


def test_driver_that_is_always_in_a_transaction(tmp_path: Path, apps: Apps) -> None:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'x.db'}", connect_args={"autocommit": False}, poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        bench = Bench(connection, apps)
        bench.run(*FAMILY)
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        driver.execute("PRAGMA foreign_keys=ON")
        driver.autocommit = False
        apps.revision("wms", A1, REBUILD)
        bench.track().upgrade(A1)
        assert len(bench.rows("SELECT * FROM child")) == 3
        assert enforced(bench)
        assert driver.autocommit is False


def test_triggers_and_expression_indexes_survive(sqlite_bench: Bench, apps: Apps) -> None:
    objects = (
        "CREATE INDEX ix_lower ON parent (lower(name)) WHERE age > 3",
        "CREATE TRIGGER log_parent AFTER INSERT ON parent BEGIN INSERT INTO log VALUES (new.name); END",
        "CREATE INDEX ix_order ON parent (name COLLATE NOCASE DESC, age)",
        "CREATE INDEX ix_age ON parent (lower(age))",
    )
    sqlite_bench.run(*FAMILY, "CREATE TABLE log (name TEXT)", *objects)
    apps.revision("wms", A1, f'op.execute("DROP INDEX ix_age")\n{REBUILD}')
    sqlite_bench.track().upgrade(A1)
    kept = sqlite_bench.rows("SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL")
    assert {row[0] for row in kept} == set(objects[:3]), "and what the revision dropped stays dropped"
    sqlite_bench.run("INSERT INTO parent VALUES (3, 'Eve', 1)")
    assert sqlite_bench.rows("SELECT name FROM log") == [("Eve",)]


def test_unnamed_checks_survive(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20), age INTEGER CHECK (age > 0), x INTEGER, "
        "CHECK (name <> 'a, b)'), CHECK (x < 5))"
    )
    apps.revision("wms", A1, REBUILD + '    batch_op.drop_column("x")\n')
    sqlite_bench.track().upgrade(A1)
    for row in ("(1, 'Ann', -1)", "(1, 'a, b)', 1)"):
        with pytest.raises(sa.exc.IntegrityError):
            sqlite_bench.run(f"INSERT INTO parent VALUES {row}")
    sqlite_bench.run("INSERT INTO parent VALUES (1, 'Ann', 1)")


def test_a_check_on_a_renamed_column_is_not_lost(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run("CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT, age INTEGER CHECK (age > 0))")
    rename = (
        'with op.batch_alter_table("parent") as batch_op:\n    batch_op.alter_column("age", new_column_name="years")\n'
    )
    apps.revision("wms", A1, rename)
    sqlite_bench.track().upgrade(A1)
    assert sqlite_bench.rows("SELECT sql FROM sqlite_master WHERE name = 'parent'") == [
        ('CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT, "years" INTEGER CHECK ("years" > 0))',)
    ]
    with pytest.raises(sa.exc.IntegrityError):
        sqlite_bench.run("INSERT INTO parent VALUES (1, 'Ann', -1)")


def test_a_long_table_name(sqlite_bench: Bench, apps: Apps) -> None:
    name = "t" * 70
    sqlite_bench.run(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, age INTEGER CHECK (age > 0))")
    apps.revision(
        "wms",
        A1,
        f'with op.batch_alter_table("{name}") as batch_op:\n    batch_op.alter_column("age", type_=sa.BigInteger())',
    )
    sqlite_bench.track().upgrade(A1)
    with pytest.raises(sa.exc.IntegrityError):
        sqlite_bench.run(f"INSERT INTO {name} VALUES (1, -1)")


def test_kill_in_the_middle_leaves_nothing(tmp_path: Path, sqlite_bench: Bench, apps: Apps) -> None:
    """A second connection sees nothing of a revision that runs: it is one transaction to others as well."""
    apps.revision(
        "wms",
        A1,
        f"""
        import sqlite3
        op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
        other = sqlite3.connect({str(tmp_path / "test.db")!r})
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        other.close()
        """,
    )
    sqlite_bench.track().upgrade(A1)
    other = sqlite3.connect(tmp_path / "test.db")
    assert other.execute("SELECT count(*) FROM half").fetchone() == (0,)
    other.close()


def test_aiosqlite(tmp_path: Path, apps: Apps) -> None:
    apps.revision("wms", A1, REBUILD)

    def migrate(connection: sa.Connection) -> None:
        bench = Bench(connection, apps)
        bench.run(*FAMILY)
        driver: Any = connection.connection.dbapi_connection
        cursor = driver.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
        bench.track().upgrade(A1)
        assert len(bench.rows("SELECT * FROM child")) == 3
        assert enforced(bench)

    async def main() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
        await engine.dispose()

    asyncio.run(main())
