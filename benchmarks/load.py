"""python -m benchmarks.load [--rows N] [--rate N] [--reader SECONDS] [--only NAMES] [--json FILE]

While a writer and a reader probe every table, each class of change runs on a table of many rows, by this engine and by
plain Alembic, in one run. Told are the longest stall of the probes and what the database refused them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from rich.console import Console
from rich.table import Table

from benchmarks.load_changes import CASES, LoadCase, base
from benchmarks.probes import Probed, long_reader, probing
from framework_m_migrations import MigrationManager
from framework_m_migrations.container.settings import MigrationSettings
from tests._postgres import PostgresDatabase, PostgresServer, running_postgres

APP = "bench_load_app"
WRITES = (
    "UPDATE item SET qty = qty + 1, title = 'old' WHERE id = %(id)s",
    "UPDATE kind SET name = 'k' WHERE id = 1 + mod(%(id)s, 100)",
)
LATE_WRITES = WRITES[1:]
READS = ("SELECT qty, code FROM item WHERE id = %(id)s", "SELECT name FROM kind WHERE id = 1 + mod(%(id)s, 100)")


class LoadRun:
    """One run: a server, a database full of rows, and a copy of it for each change."""

    def __init__(self, server: PostgresServer, rows: int, rate: float, reader: float, folder: Path) -> None:
        self.server, self.rows, self.rate, self.reader = server, rows, rate, reader
        self.folder = folder
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
                "CASE WHEN n %% 10 > 0 THEN 'code ' || n END, 'spare' FROM generate_series(1, %s) n",
                (self.rows,),
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
        self._app(name)
        wanted = base()
        case.wanted(wanted)
        manager = self._manager(database, wanted)
        try:
            if not case.revisions:
                with self._under_load(database, WRITES) as probed:
                    manager.sync()
                return self._result(probed)
            made = manager.create(f"load {name}", app=APP, online=True)
            with self._under_load(database, WRITES) as probed:
                manager.run()
            if made.contract is None:
                return self._result(probed)
            late = (case.late_write, *LATE_WRITES)
            with self._under_load(database, late) as ended:
                manager.run(contract=True)
            return self._result(probed, ended)
        finally:
            left = len(manager.plan(force=True).plan.changes)
            self.server.drop_database(database.name)
            if left:
                raise RuntimeError(f"{case.name}: {left} changes are left")

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
        with probing(database.dsn, WRITES, READS, rate=self.rate, rows=self.rows) as probed:
            time.sleep(seconds)
        self.server.drop_database(database.name)
        return self._result(probed)

    def _under_load(self, database: PostgresDatabase, writes: tuple[str, ...]) -> _UnderLoad:
        return _UnderLoad(self, database, writes)

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

    def __init__(self, run: LoadRun, database: PostgresDatabase, writes: tuple[str, ...]) -> None:
        self._probes = probing(database.dsn, writes, READS, rate=run.rate, rows=run.rows)
        self._reader = long_reader(database.dsn, "item", run.reader)

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


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rate", type=float, default=200.0, help="operations a second of the writer and of the reader")
    parser.add_argument("--reader", type=float, default=3.0, help="seconds that a report's transaction stays open")
    parser.add_argument("--only", default="", help="names of changes, comma separated")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = [case for case in CASES if not options.only or case.name in options.only.split(",")]
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="fmm-load-"))
    document: dict[str, Any] = {
        "rows": options.rows,
        "rate": options.rate,
        "reader_seconds": options.reader,
        "lock_timeout_ms": 500,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load_average_before": round(os.getloadavg()[0], 1),
        "changes": {},
    }
    heads = ("statement", "stall", "refused", "took")
    table = Table("change", *(f"{who}: {head}" for who in ("engine", "Alembic") for head in heads))
    try:
        with running_postgres() as server:
            run = LoadRun(server, options.rows, options.rate, options.reader, folder)
            document["idle"] = run.idle(5.0)
            console.print(f"Probes alone: longest {document['idle']['longest_stall_ms']} ms")
            for case in chosen:
                ours, plain = run.engine(case), run.alembic(case)
                document["changes"][case.name] = {"engine": ours, "alembic": plain}
                cells = [
                    cell
                    for one in (ours, plain)
                    for cell in (
                        f"{one['longest_statement_ms']} ms",
                        f"{one['longest_stall_ms']} ms",
                        str(one["refused"]),
                        f"{one['seconds']} s",
                    )
                ]
                table.add_row(case.name, *cells)
                console.print(case.name, *cells)
                document["load_average_after"] = round(os.getloadavg()[0], 1)
                if options.json:
                    options.json.write_text(json.dumps(document, indent=2) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
