"""python -m benchmarks [--tables 50,200,700] [--databases sqlite,postgres] [--json FILE] [--repeat N]"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import alembic
import sqlalchemy as sa
from rich.console import Console

from benchmarks import host, report
from benchmarks.cases import Cases, State, sync
from benchmarks.databases import Database, databases
from benchmarks.findings import SMALLEST, agreement
from benchmarks.measure import Case, Result, measure, profile
from benchmarks.synthetic import COLUMNS, build
from benchmarks.targets import Verdict, judge

KNOWN = ("sqlite", "postgres")


class Run:
    """One run over all databases and sizes."""

    def __init__(self, console: Console, repeat: int, folder: Path) -> None:
        self.console = console
        self.repeat = repeat
        self.folder = folder
        self.verdicts: list[Verdict] = []
        self.document: dict[str, Any] = {"columns": COLUMNS, "repeat": repeat, "results": [], "profiles": []}

    def findings(self, database: Database) -> None:
        engine = database.fresh()
        found = agreement(engine, SMALLEST)
        database.drop(engine)
        report.show_agreement(self.console, database.name, found)
        self.document["results"].append({"database": database.name, "findings": found.to_dict()})

    def size(self, database: Database, tables: int) -> None:
        cases = Cases(database, tables, self.folder)
        measured: dict[str, Result] = {}
        every: list[Case] = []

        def take(new: list[Case]) -> None:
            every.extend(new)
            with self.console.status("") as status:
                told = f"{database.name}, {tables} tables: "
                measured.update(measure(new, self.repeat, lambda text: status.update(told + text)))

        take(cases.firsts())
        synced = self._synced(database, tables)
        hosts = self._synced_by_host(database, tables) if host.available() else None
        take(cases.looks(synced, hosts))
        take(cases.commands(synced))
        verdicts = judge(measured, database.name, tables)
        profiles = [
            (verdict, profile(_named(every, verdict.target.ours))) for verdict in verdicts if not verdict.reached
        ]
        take(cases.changes(synced, hosts))
        for engine in (synced, hosts):
            if engine is not None:
                database.drop(engine)
        report.show_results(self.console, database.name, tables, measured)
        for verdict, lines in profiles:
            report.show_profile(self.console, verdict, lines)
        self.verdicts += verdicts
        self.document["results"].append(
            {
                "database": database.name,
                "tables": tables,
                "cases": {name: result.to_dict() for name, result in measured.items()},
                "targets": [verdict.to_dict() for verdict in verdicts],
            }
        )
        self.document["profiles"] += [{**verdict.to_dict(), "lines": lines} for verdict, lines in profiles]

    @staticmethod
    def _synced(database: Database, tables: int) -> sa.Engine:
        engine = database.fresh()
        sync(State(engine, build(tables)))
        return engine

    def _synced_by_host(self, database: Database, tables: int) -> sa.Engine:
        engine = database.fresh()
        host.engine_of(self.folder)(engine, build(tables))
        return engine


def _named(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.name == name)


def environment(found: list[Database]) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "Python": platform.python_version(),
        "SQLAlchemy": sa.__version__,
        "Alembic": alembic.__version__,
        **{database.name: database.version() for database in found},
        "system": f"{platform.system()} {platform.machine()}",
        "CPUs": os.cpu_count(),
    }


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


def names(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found or not set(found) <= set(KNOWN):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(KNOWN)}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--tables", type=numbers, default=[50, 200, 700], help="sizes, comma separated")
    parser.add_argument("--databases", type=names, default=list(KNOWN), help="sqlite, postgres or both")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions; medians are shown")
    options = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 140)
    run = Run(console, options.repeat, Path(tempfile.mkdtemp(prefix="fmm-bench-")))
    with databases(options.databases, run.folder) as found:
        run.document["environment"] = environment(found)
        report.show_environment(console, run.document["environment"])
        for database in found:
            run.findings(database)
            for tables in options.tables:
                run.size(database, tables)
    report.show_verdicts(console, run.verdicts)
    if options.json is not None:
        options.json.write_text(json.dumps(run.document, indent=2) + "\n", encoding="utf-8")
        console.print(f"Written: {options.json}", highlight=False)


if __name__ == "__main__":
    main()
