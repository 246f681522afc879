"""Errors of a real SQLite become the errors that they mean."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.errors import translate
from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    DatabaseCorrupt,
    DatabaseReadOnly,
    LockTimeout,
    MigrationError,
    MissingPrivilege,
    StorageFull,
)
from tests.sqlite._helpers import plain


def error_of(url: str, *statements: str, autocommit: bool = False) -> MigrationError | None:
    engine = sa.create_engine(
        url, connect_args={"timeout": 0}, isolation_level="AUTOCOMMIT" if autocommit else "SERIALIZABLE"
    )
    try:
        with engine.connect() as connection:
            for sql in statements:
                connection.exec_driver_sql(sql)
            connection.commit()
    except sa.exc.DBAPIError as error:
        return translate(error)
    finally:
        engine.dispose()
    raise AssertionError("no error")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    plain(path, "CREATE TABLE t (a UNIQUE)")
    return path


def test_busy(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        found = error_of(f"sqlite:///{path}", "INSERT INTO t VALUES (1)")
    assert type(found) is LockTimeout
    assert found.exit_code == 4


def test_read_only(path: Path) -> None:
    assert type(error_of(f"sqlite:///file:{path}?mode=ro&uri=true", "CREATE TABLE u (a)")) is DatabaseReadOnly
    assert type(error_of(f"sqlite:///{path}", "PRAGMA query_only = 1", "CREATE TABLE u (a)")) is DatabaseReadOnly


def test_full(path: Path) -> None:
    found = error_of(f"sqlite:///{path}", "PRAGMA max_page_count = 3", "INSERT INTO t VALUES (zeroblob(90000))")
    assert type(found) is StorageFull


def test_no_database(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("This is a letter, and long enough to be taken for a database. " * 20)
    assert type(error_of(f"sqlite:///{path}", "SELECT * FROM sqlite_master")) is DatabaseCorrupt
    assert path.read_text().startswith("This is a letter")


def test_damaged(path: Path) -> None:
    plain(path, "INSERT INTO t VALUES (1)")
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(bytes(data))
    found = error_of(f"sqlite:///{path}", "SELECT * FROM t")
    assert type(found) is DatabaseCorrupt
    assert "backup" in found.next_step


def test_no_such_place(tmp_path: Path) -> None:
    assert type(error_of(f"sqlite:///{tmp_path}/no/app.db", "SELECT 1")) is ConnectionFailed
    assert type(error_of(f"sqlite:///{tmp_path}", "SELECT 1")) is ConnectionFailed


def test_denied(path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == 2 else sqlite3.SQLITE_OK)

    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.exec_driver_sql("CREATE TABLE u (a)")
    engine.dispose()
    assert type(translate(caught.value)) is MissingPrivilege


def test_a_wrong_definition_is_no_damage_of_the_file(path: Path) -> None:
    plain(path, "PRAGMA journal_mode = wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = 'CREATE TABLE t (a UNIQUE, CHECK (missing > 0))' WHERE name = 't'"
        )
        connection.execute("PRAGMA schema_version = 99")
        connection.execute("PRAGMA writable_schema = RESET")
        with pytest.raises(sqlite3.DatabaseError) as caught:
            connection.execute("SELECT * FROM t")
        connection.execute("ROLLBACK")
    found = translate(sa.exc.DatabaseError("SELECT", None, caught.value))
    assert found is not None
    assert type(found) is not DatabaseCorrupt
    assert "does not accept the schema" in found.what


def test_what_is_nothing_in_particular(path: Path) -> None:
    assert error_of(f"sqlite:///{path}", "INSERT INTO t VALUES (1), (1)") is None
    assert error_of(f"sqlite:///{path}", "SELEC 1") is None
