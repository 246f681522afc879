"""What the browser tests run in the worker, where it is a module of the same name."""

from __future__ import annotations

import sys
import time
from typing import Any

import sqlalchemy as sa

import __main__
from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.adapters.pyodide import IdbfsPersistence, OpfsPersistence
from framework_m_migrations.domain.errors import MigrationError

tell: Any = getattr(__main__, "tell", None)
URL = "sqlite+aiosqlite:////data/dev.db"
held: list[Any] = []
HOLDERS: dict[str, Any] = {"idbfs": IdbfsPersistence, "opfs": OpfsPersistence}


def metadata(*names: str) -> sa.MetaData:
    found = sa.MetaData()
    more = (sa.Column(name, sa.Text) for name in names)
    sa.Table("thing", found, sa.Column("id", sa.Integer, primary_key=True), *more)
    return found


def store_of(kind: str, patience: float = 30.0) -> Any:
    return HOLDERS[kind]("/data", patience=patience)


async def migrate(kind: str, *names: str, patience: float = 30.0) -> str:
    """Sync, in the given store; what came of it in a word."""
    store = store_of(kind, patience)
    settings = MigrationSettings(URL, metadata=(metadata(*names),))
    try:
        result = await AsyncMigrationManager(settings, overrides={"persistence": lambda _: store}).sync()
    except MigrationError as error:
        return error.code
    return "up to date" if result.up_to_date else f"{result.steps} steps"


def engine() -> sa.Engine:
    return sa.create_engine("sqlite:////data/dev.db", poolclass=sa.NullPool)


async def insert(kind: str, name: str) -> None:
    store = store_of(kind)
    await store.load()
    with engine().begin() as connection:
        connection.execute(sa.text("INSERT INTO thing (name) VALUES (:name)"), {"name": name})
    await store.flush()
    await store.release()


async def look(kind: str) -> list[Any]:
    """Integrity, columns, rows and the size of the big table of what is stored."""
    store = store_of(kind)
    await store.load()
    try:
        with engine().connect() as connection:
            integrity = connection.scalar(sa.text("PRAGMA integrity_check"))
            tables = sa.inspect(connection).get_table_names()
            columns = [column["name"] for column in sa.inspect(connection).get_columns("thing")]
            names = list(connection.scalars(sa.text("SELECT name FROM thing ORDER BY id")))
            big = connection.scalar(sa.text("SELECT count(*) FROM big")) if "big" in tables else None
            return [integrity, ",".join(columns), ",".join(names), big]
    finally:
        await store.release()


def wait_to_be_killed() -> None:
    time.sleep(600)


async def stop_inside_transaction(kind: str) -> None:
    """Write a lot within a transaction, tell the page, and wait to be killed."""
    await store_of(kind).load()
    connection = engine().connect()
    connection.exec_driver_sql("PRAGMA cache_size=10")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql("ALTER TABLE thing ADD COLUMN half TEXT")
    connection.exec_driver_sql("UPDATE thing SET name = 'half'")
    connection.exec_driver_sql("CREATE TABLE big (content BLOB)")
    for _ in range(50):
        connection.exec_driver_sql("INSERT INTO big VALUES (randomblob(20000))")
    tell("inside")
    wait_to_be_killed()


async def stop_before_flush(kind: str) -> None:
    """Commit, tell the page, and wait to be killed."""
    await store_of(kind).load()
    with engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE thing ADD COLUMN committed TEXT")
    tell("committed")
    wait_to_be_killed()


async def stop_during_flush(kind: str) -> None:
    """Write 30 MB, commit, begin the flush, and tell the page."""
    store = store_of(kind)
    await store.load()
    with engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE big (content BLOB)")
        for _ in range(30):
            connection.exec_driver_sql("INSERT INTO big VALUES (randomblob(1000000))")
    tell("flushing")
    await store.flush()
    tell("flushed")
    await store.release()


async def hold(kind: str) -> None:
    """Keep the store until killed."""
    held.append(store_of(kind))
    await held[0].load()


def modules_of_alembic() -> str:
    """Those that were imported."""
    return " ".join(name for name in sys.modules if name.partition(".")[0] in {"alembic", "mako"})


async def default_store() -> str:
    """The shared configuration, with nothing configured."""
    result = await AsyncMigrationManager(MigrationSettings(URL, metadata=(metadata("name"),))).sync()
    return f"{result.steps} steps"
