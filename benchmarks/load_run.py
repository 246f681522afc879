"""A server, a database full of rows, and each class of change on a copy of it while probes measure."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from benchmarks.load_changes import LoadCase, base
from benchmarks.probes import Probed, long_reader, probing
from framework_m_migrations import MigrationManager
from framework_m_migrations.container.settings import MigrationSettings
from tests._postgres import PostgresDatabase, PostgresServer

APP = "bench_load_app"
WRITES = (
    "UPDATE item SET qty = qty + 1, title = 'old' WHERE id = %(id)s",
    "UPDATE kind SET name = 'k' WHERE id = 1 + mod(%(id)s, 100)",
)
LATE_WRITES = WRITES[1:]
LATE_READ = "SELECT name FROM kind WHERE id = 1 + mod(%(id)s, 100)"


def reads(table: str) -> tuple[str, ...]:
    """What the reader asks, of the table that is changed and of its neighbour."""
    return (f"SELECT qty, code FROM {table} WHERE id = %(id)s", LATE_READ)


def whole(table: str) -> tuple[str, ...]:
    """What the clients that prepare ask: all columns, which a change of one of them changes."""
    return (f"SELECT * FROM {table} WHERE id = %(id)s",)


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured under.

    Attributes:
        rows: of the table that is changed.
        rate: operations a second of the writer, and of the reader.
        reader: seconds for which a report's transaction stays open.
    """

    rows: int
    rate: float
    reader: float


class LoadRun:
    """One run: a server, a database full of rows, and a copy of it for each change."""

    def __init__(self, server: PostgresServer, load: Load, folder: Path) -> None:
        self.server, self.load, self.folder = server, load, folder
        self.origin = self._filled()

    def _filled(self) -> PostgresDatabase:
        database = self.server.create_database("load_origin")
        self._app("origin")
        manager = self._manager(database, base())
        manager.run()
        manager.sync()
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO kind SELECT n, 'k' || n FROM generate_series(1, 100) n")
            connection.execute(
                "INSERT INTO item SELECT n, n %% 1000, 1 + n %% 100, 'title ' || n, "
                "CASE WHEN n %% 10 > 0 THEN 'code ' || n END, 'spare', 'good' FROM generate_series(1, %s) n",
                (self.load.rows,),
            )
            connection.execute("VACUUM ANALYZE")
        return database

    def copy(self) -> PostgresDatabase:
        """A database with all rows, of its own."""
        database = self.server.create_database()
        with self.server.admin() as connection:
            connection.autocommit = True
            connection.execute(f"DROP DATABASE {database.name}")
            connection.execute(f"CREATE DATABASE {database.name} TEMPLATE {self.origin.name} STRATEGY FILE_COPY")
        return database

    def engine(self, case: LoadCase) -> dict[str, Any]:
        """The change by this engine: sync, or the two halves of an online revision."""
        database, name = self.copy(), case.name.replace(" ", "_")
        try:
            self._app(name)
            wanted = base()
            case.wanted(wanted)
            manager = self._manager(database, wanted)
            result = self._result(*self._changed(manager, database, case))
            left = len(manager.plan(force=True).plan.changes)
            if left:
                raise RuntimeError(f"{left} changes are left")
            return result
        finally:
            self.server.drop_database(database.name)

    def _changed(self, manager: MigrationManager, database: PostgresDatabase, case: LoadCase) -> list[Probed]:
        if not case.revisions:
            with self._under_load(database, WRITES) as probed:
                manager.sync()
            return [probed]
        made = manager.create(f"load {case.name}", app=APP, online=True)
        with self._under_load(database, WRITES) as probed:
            manager.run()
        if made.contract is None:
            return [probed]
        with self._under_load(database, (case.late_write, *LATE_WRITES), case.late_table) as ended:
            manager.run(contract=True)
        return [probed, ended]

    def alembic(self, case: LoadCase) -> dict[str, Any]:
        """The same by plain Alembic, in one transaction, as its own template runs it."""
        database = self.copy()
        engine = sa.create_engine(database.sync_url)
        try:
            with self._under_load(database, WRITES) as probed, engine.begin() as connection:
                case.plain(Operations(MigrationContext.configure(connection)))
        finally:
            engine.dispose()
            self.server.drop_database(database.name)
        return self._result(probed)

    def idle(self, seconds: float) -> dict[str, Any]:
        """The probes alone: what the machine itself makes them wait."""
        database = self.copy()
        try:
            with probing(
                database.dsn, WRITES, reads("item"), whole("item"), rate=self.load.rate, rows=self.load.rows
            ) as probed:
                time.sleep(seconds)
        finally:
            self.server.drop_database(database.name)
        return self._result(probed)

    def _under_load(self, database: PostgresDatabase, writes: tuple[str, ...], table: str = "item") -> _UnderLoad:
        return _UnderLoad(self.load, database, writes, table)

    @staticmethod
    def _result(*parts: Probed) -> dict[str, Any]:
        waits = parts[0].waits
        for part in parts[1:]:
            waits = waits.merge(part.waits)
        return {
            "seconds": round(sum(part.seconds for part in parts), 2),
            "operations": waits.operations,
            "longest_statement_ms": round(waits.statement * 1000),
            "longest_stall_ms": round(waits.longest * 1000),
            "slower_than_100_ms": waits.slow,
            "refused": waits.failures,
            "refused_prepared": waits.prepared,
            "first_refusal": waits.message,
        }

    def _app(self, name: str) -> None:
        """The app's package anew, so that each change has a branch of its own."""
        for module in [one for one in sys.modules if one.split(".")[0] == APP]:
            del sys.modules[module]
        home = self.folder / name
        versions = home / APP / "migrations" / "versions"
        versions.mkdir(parents=True)
        (home / APP / "__init__.py").touch()
        (versions / "first.py").write_text(
            'revision = "first"\ndown_revision = None\nbranch_labels = ("' + APP + '",)\n'
            "def upgrade():\n    pass\ndef downgrade():\n    pass\n"
        )
        sys.path[:] = [str(home), *(one for one in sys.path if not one.startswith(str(self.folder)))]

    def _manager(self, database: PostgresDatabase, metadata: sa.MetaData) -> MigrationManager:
        settings = MigrationSettings(
            database_url=database.sync_url, apps=(APP,), metadata=(metadata,), path=self.folder
        )
        return MigrationManager(settings)


class _UnderLoad:
    """Probes, and a reader whose transaction stays open, round a change."""

    def __init__(self, load: Load, database: PostgresDatabase, writes: tuple[str, ...], table: str) -> None:
        self._probes = probing(database.dsn, writes, reads(table), whole(table), rate=load.rate, rows=load.rows)
        self._reader = long_reader(database.dsn, table, load.reader)

    def __enter__(self) -> Probed:
        probed = self._probes.__enter__()
        self._reader.__enter__()
        return probed

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._reader.__exit__(kind, error, trace)
        finally:
            self._probes.__exit__(kind, error, trace)
