"""A disk that is full, a database that takes no writes: a clear error, nothing half done, and the next run gets there.

SQLite is given fewer pages than it asks for here, a quota within the file, which it answers as it answers a full disk;
disks that are really full are in test_full_disk.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import DatabaseReadOnly
from tests._postgres import PostgresDatabase
from tests.histories.traits import traits_of_sql
from tests.support.full_disk import attempt


def wanted() -> sa.MetaData:
    metadata = sa.MetaData()
    for number in range(12):
        sa.Table(
            f"t{number}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(40), index=True),
            sa.Column("code", sa.String(40), unique=True),
        )
    sa.Table(
        "old",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, index=True),
        sa.Column("more", sa.Integer, nullable=False, default=7),
    )
    return metadata


def traits(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return traits_of_sql(connection)


def with_pages(path: Path, spare: int | None) -> sa.Engine:
    """An engine whose connections may add so many pages to the file."""
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool)
    if spare is None:
        return engine
    with closing(sqlite3.connect(path)) as connection:
        pages = int(connection.execute("PRAGMA page_count").fetchone()[0])

    @sa.event.listens_for(engine, "connect")
    def limit(raw: sqlite3.Connection, _: object) -> None:
        raw.execute(f"PRAGMA max_page_count = {pages + spare}")

    return engine


def test_a_full_disk_on_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE old (id INTEGER PRIMARY KEY, text TEXT);"
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)"
            "INSERT INTO old SELECT i, 'row ' || i FROM n;"
        )
    fresh = sa.create_engine(f"sqlite:///{tmp_path / 'fresh.db'}", poolclass=sa.pool.NullPool)
    settings = MigrationSettings(metadata=(wanted(),))
    plain = with_pages(path, None)
    refused = 0
    for spare in range(0, 200, 3):
        before = traits(plain)
        error = attempt(MigrationManager(settings, engine=with_pages(path, spare)))
        if error is None:
            break
        refused += 1
        assert "full" in error.what
        assert error.next_step
        assert traits(plain) == before, "a sync that is one step did a part of it"
        with closing(sqlite3.connect(path)) as rows:
            assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert rows.execute("SELECT count(*), min(text), max(id) FROM old").fetchone() == (500, "row 1", 500)
        assert not MigrationManager(settings, engine=plain).plan(force=True).plan.is_empty
    assert refused > 5
    assert MigrationManager(settings, engine=plain).plan(force=True).plan.is_empty
    MigrationManager(settings, engine=fresh).sync()
    now, built = traits(plain), traits(fresh)
    assert isinstance(now, dict)
    assert isinstance(built, dict)
    assert now.keys() == built.keys()


def refused_by(url: str, look: Callable[[], object]) -> None:
    """Every command that writes says that it cannot, and leaves everything as it was."""
    manager = MigrationManager(MigrationSettings(url, metadata=(wanted(),)))
    before = look()
    with pytest.raises(DatabaseReadOnly) as caught:
        manager.sync()
    assert caught.value.next_step
    assert look() == before
    assert not manager.plan(force=True).plan.is_empty, "looking is no writing"


def test_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE old (id INTEGER PRIMARY KEY, text TEXT)")
    refused_by(f"sqlite:///file:{path}?mode=ro&uri=true", path.read_bytes)


def test_a_read_only_server(postgres_database: PostgresDatabase) -> None:
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE old (id serial PRIMARY KEY, text text)")
        connection.exec_driver_sql(f"ALTER DATABASE {postgres_database.name} SET default_transaction_read_only = on")
    refused_by(postgres_database.url, lambda: traits(engine))
