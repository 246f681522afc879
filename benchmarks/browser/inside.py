"""What bench.mjs measures in the worker. Each function returns milliseconds by name."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

TABLES, COLUMNS = 20, 10
REVISION = """
from alembic import op
from tests_bench import tables
revision = "first"
down_revision = None
def upgrade():
    for table in tables().sorted_tables:
        op.create_table(table.name, *(column._copy() for column in table.columns))
"""
ENV = """
from alembic import context
context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""


def tables() -> Any:
    """20 tables of 10 columns with an index each."""
    import sqlalchemy as sa

    found = sa.MetaData()
    for number in range(TABLES):
        columns = [sa.Column(f"c{index}", sa.String(80), index=not index) for index in range(COLUMNS - 1)]
        sa.Table(f"bench_{number}", found, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return found


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return _since(start)


def imports(plain: bool) -> dict[str, float]:
    """The first import of what a sync needs, or of SQLAlchemy with Alembic, up to a first look at an empty database."""
    start = time.perf_counter()
    if plain:
        import alembic.command
        import sqlalchemy as sa
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        with sa.create_engine("sqlite://").connect() as connection:
            compare_metadata(MigrationContext.configure(connection), sa.MetaData())
        assert alembic.command is not None
    else:
        from framework_m_migrations import MigrationManager, MigrationSettings

        MigrationManager(MigrationSettings("sqlite://", metadata=(tables(),))).plan()
    return {"import": _since(start)}


async def ours(kind: str) -> dict[str, float]:
    """A first sync, and one with nothing to do; each loads and flushes the store."""
    from framework_m_migrations import AsyncMigrationManager, MigrationSettings
    from framework_m_migrations.adapters.pyodide import IdbfsPersistence, OpfsPersistence

    metadata = tables()
    holder: Any = {"idbfs": IdbfsPersistence, "opfs": OpfsPersistence}[kind]

    async def sync() -> None:
        store = holder("/bench")
        settings = MigrationSettings("sqlite:////bench/dev.db", metadata=(metadata,))
        await AsyncMigrationManager(settings, overrides={"persistence": lambda _: store}).sync()

    found = {"first migration": await _timed(sync)}
    await sync()
    found["nothing to do"] = min([await _timed(sync) for _ in range(3)])
    assert not any(name.startswith("alembic") for name in sys.modules), "a sync needs no Alembic"
    store = holder("/bench")
    await store.load()
    found.update(await flushes("/bench/dev.db", store.flush))
    await store.release()
    return found


async def flushes(database: str, flush: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Insert a row and make it durable, in databases of two sizes."""
    import sqlalchemy as sa

    engine = sa.create_engine(f"sqlite:///{database}", poolclass=sa.NullPool)
    found = {}
    for megabytes in (1, 20):
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS big")
            connection.exec_driver_sql("CREATE TABLE big (content BLOB)")
            for _ in range(megabytes):
                connection.exec_driver_sql("INSERT INTO big VALUES (randomblob(1000000))")
        await flush()

        async def small() -> None:
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO big VALUES (x'00')")
            await flush()

        found[f"one row in {megabytes} MB"] = min([await _timed(small) for _ in range(3)])
    return found


async def plain() -> dict[str, float]:
    """The same tables by a revision of Alembic, on Emscripten's IDBFS; and its comparison."""
    import pyodide_js
    import sqlalchemy as sa
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from pyodide.code import run_js
    from pyodide.ffi import to_js

    file_system = pyodide_js.FS
    file_system.mkdirTree("/plain")
    file_system.mount(file_system.filesystems.IDBFS, to_js({}), "/plain")
    syncfs = run_js("(FS, populate) => new Promise((done, fail) => FS.syncfs(populate, (e) => (e ? fail(e) : done())))")
    scripts = Path("/scripts")
    shutil.rmtree(scripts, ignore_errors=True)
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text(ENV)
    (scripts / "versions" / "first.py").write_text(REVISION)
    config = Config()
    config.set_main_option("script_location", str(scripts))
    engine = sa.create_engine("sqlite:////plain/dev.db", poolclass=sa.NullPool)

    async def upgrade() -> None:
        await syncfs(file_system, True)
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        await syncfs(file_system, False)

    async def compare() -> None:
        await syncfs(file_system, True)
        with engine.connect() as connection:
            compare_metadata(MigrationContext.configure(connection), tables())

    found = {"first migration": await _timed(upgrade)}
    await upgrade()
    found["nothing to do"] = min([await _timed(upgrade) for _ in range(3)])
    await compare()
    found["nothing to do, compared"] = min([await _timed(compare) for _ in range(3)])
    found.update(await flushes("/plain/dev.db", lambda: syncfs(file_system, False)))
    return found
