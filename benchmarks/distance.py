"""python -m benchmarks.distance [--tables N] [--delays 0,0.5,2] [--repeat N] [--json FILE]

What a first sync and a look cost when the database is far away: ours beside the floor (the same statements in one
message), create_all in one transaction and Alembic's operations, on psycopg and asyncpg, taking turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.proxy import Proxy, proxy
from benchmarks.synthetic import build
from framework_m_migrations import AsyncMigrationManager, MigrationManager, MigrationSettings
from tests._postgres import PostgresServer, running_postgres

DRIVERS = ("psycopg", "asyncpg")
FLOOR, OURS, NO_OP, FULL, ALL, ALEMBIC = "raw floor", "sync", "sync, no-op", "plan, everything", "create_all", "Alembic"


class Far:
    """An engine on an empty database behind the proxy, with a connection in its pool."""

    def __init__(self, server: PostgresServer, way: Proxy, driver: str) -> None:
        self.database = server.create_database()
        url = sa.make_url(server.url(self.database.name, driver)).set(port=way.port)
        self.loop = asyncio.new_event_loop()
        self.engine: Any = create_async_engine(url) if driver == "asyncpg" else sa.create_engine(url)
        self.within(lambda connection: connection.exec_driver_sql("SELECT 1").close())

    def within(self, work: Callable[[sa.Connection], Any]) -> Any:
        """Call it in one transaction."""
        if not isinstance(self.engine, AsyncEngine):
            with self.engine.begin() as connection:
                return work(connection)

        async def main() -> Any:
            async with self.engine.begin() as connection:
                return await connection.run_sync(work)

        return self.loop.run_until_complete(main())

    def manager(self, method: str, metadata: sa.MetaData, **options: Any) -> Any:
        settings = MigrationSettings(metadata=(metadata,))
        if isinstance(self.engine, AsyncEngine):
            ours = AsyncMigrationManager(settings, engine=self.engine)
            return self.loop.run_until_complete(getattr(ours, method)(**options))
        return getattr(MigrationManager(settings, engine=self.engine), method)(**options)

    def close(self) -> None:
        if isinstance(self.engine, AsyncEngine):
            self.loop.run_until_complete(self.engine.dispose())
        else:
            self.engine.dispose()
        self.loop.close()
        self.database.server.drop_database(self.database.name)


def statements(metadata: sa.MetaData) -> str:
    """What create_all would send, as one text."""
    sent: list[str] = []
    dialect: Any = sa.make_url("postgresql://").get_dialect()()

    def note(ddl: Any, *_: Any) -> None:
        sent.append(str(ddl.compile(dialect=dialect)))

    metadata.create_all(sa.create_mock_engine("postgresql://", note), checkfirst=False)
    return ";\n".join(sent)


def raw(far: Far, script: str) -> None:
    if not isinstance(far.engine, AsyncEngine):
        far.within(
            lambda connection: connection.exec_driver_sql(script, execution_options={"no_parameters": True}).close()
        )
        return

    async def main() -> None:
        async with far.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            async with driver.transaction():
                await driver.execute(script)

    far.loop.run_until_complete(main())


def alembic(connection: sa.Connection, metadata: sa.MetaData) -> None:
    context = MigrationContext.configure(connection)
    operations = Operations(context)
    todo: list[Any] = list(produce_migrations(context, metadata).upgrade_ops.ops)  # type: ignore[union-attr]
    while todo:
        one = todo.pop(0)
        inner = getattr(one, "ops", None)
        if inner is None:
            operations.invoke(one)
        else:
            todo[:0] = inner


def measured(server: PostgresServer, way: Proxy, driver: str, tables: int) -> dict[str, tuple[float, int]]:
    """Seconds and turns of each, the lock's connection and those for looks at a wait apart."""
    found: dict[str, tuple[float, int]] = {}
    script = statements(build(tables))

    def clock(name: str, work: Callable[[], object]) -> None:
        time.sleep(0.05)
        way.counted()
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        found[name] = (seconds, max(len(one.turns) for one in way.counted()))

    for name in (FLOOR, ALL, ALEMBIC, OURS):
        far, metadata = Far(server, way, driver), build(tables)
        match name:
            case "raw floor":
                clock(name, partial(raw, far, script))
            case "create_all":
                clock(name, partial(far.within, metadata.create_all))
            case "Alembic":
                clock(name, partial(far.within, partial(alembic, metadata=metadata)))
            case _:
                clock(name, partial(far.manager, "sync", metadata))
                clock(NO_OP, partial(far.manager, "sync", build(tables)))
                clock(FULL, partial(far.manager, "plan", build(tables), force=True))
        far.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distance", description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--delays", default="0,0.5,2", help="milliseconds of each direction, comma separated")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console, document = Console(width=110), []
    with running_postgres() as server:
        for delay in map(float, options.delays.split(",")):
            with proxy(server.host, server.port, delay) as way:
                for driver in DRIVERS:
                    runs = [measured(server, way, driver, options.tables) for _ in range(options.repeat)]
                    title = f"{driver}, {options.tables} tables, {delay:g} ms each way"
                    shown = Table(title=title, title_justify="left")
                    for heading in ("", "turns", "seconds", "times create_all"):
                        shown.add_column(heading, justify="left" if not heading else "right")
                    for name in runs[0]:
                        turns = statistics.median(run[name][1] for run in runs)
                        seconds = statistics.median(run[name][0] for run in runs)
                        ratio = statistics.median(run[name][0] / run[ALL][0] for run in runs)
                        shown.add_row(name, f"{turns:.0f}", f"{seconds:.3f}", f"{ratio:.2f}")
                        document.append(
                            {"driver": driver, "delay_ms": delay, "tables": options.tables, "case": name}
                            | {"turns": turns, "seconds": seconds, "of_create_all": ratio}
                        )
                    console.print(shown)
    if options.json is not None:
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
