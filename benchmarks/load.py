"""python -m benchmarks.load [--rows N] [--rate N] [--reader SECONDS] [--only NAMES] [--json FILE] [--resume]

While a writer and a reader probe every table, each class of change runs on a table of many rows: by sync, or by both
halves of `create --online`, and by plain Alembic, each on a copy of the same database. Told are the longest stall of
the probes and what the database refused them. The file is written after each class, so that a run that was cut short or
a class that failed, can be continued with --resume.
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
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.load_changes import CASES, LoadCase
from benchmarks.load_report import markdown, table
from benchmarks.load_run import Load, LoadRun
from framework_m_migrations.domain.options import LockOptions
from tests._postgres import running_postgres

DEFAULT = Path(".bench/load.json")


def main(arguments: list[str] | None = None) -> int:
    """Measure and tell; 1 when a class failed, 2 when the file is of another run."""
    options = _parser().parse_args(arguments)
    load = Load(options.rows, options.rate, options.reader)
    chosen = _chosen(options.only)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    document = _document(load)
    if options.resume and options.json.is_file():
        before = json.loads(options.json.read_text(encoding="utf-8"))
        if before["load"] != document["load"]:
            console.print(f"{options.json} is of another run ({before['load']}); leave --resume out.", style="red")
            return 2
        document = before
    folder = Path(tempfile.mkdtemp(prefix="fmm-load-"))
    try:
        _measure(document, load, chosen, folder, options.json, console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table(document))
    if options.markdown:
        options.markdown.write_text(markdown(document), encoding="utf-8")
    failed = {name: who for name in document["changes"] for who in ("engine", "alembic") if _error(document, name, who)}
    for name, who in failed.items():
        console.print(f"{name}, {who}: {_error(document, name, who)}", style="red")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rate", type=float, default=200.0, help="operations a second of the writer and of the reader")
    parser.add_argument("--reader", type=float, default=3.0, help="seconds that a report's transaction stays open")
    parser.add_argument("--only", default="", help="names of changes, comma separated")
    parser.add_argument("--json", type=Path, default=DEFAULT, help=f"the results ({DEFAULT})")
    parser.add_argument("--markdown", type=Path, help="the table once more, for docs/online.md")
    parser.add_argument("--resume", action="store_true", help="keep what the file has already")
    return parser


def _chosen(only: str) -> list[LoadCase]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = sorted(set(names) - {case.name for case in CASES})
    if unknown:
        raise SystemExit(f"There is no class {', '.join(unknown)}; there are: {', '.join(case.name for case in CASES)}")
    return [case for case in CASES if not names or case.name in names]


def _document(load: Load) -> dict[str, Any]:
    return {
        "load": asdict(load),
        "lock_timeout_ms": round(LockOptions().lock_timeout * 1000),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "changes": {},
    }


def _measure(
    document: dict[str, Any], load: Load, chosen: list[LoadCase], folder: Path, file: Path, console: Console
) -> None:
    """Each class that the document does not have yet, by the engine and by plain Alembic."""
    began = time.monotonic()
    with running_postgres() as server:
        console.print(f"PostgreSQL {server.major}: a table of {load.rows:,} rows is made, and copied for each change")
        run = LoadRun(server, load, folder)
        document["postgresql"] = server.major
        document["idle"] = run.idle(load.reader + 2.0)
        console.print(f"Probes alone: longest stall {document['idle']['longest_stall_ms']} ms")
        for number, case in enumerate(chosen, 1):
            found = document["changes"].setdefault(case.name, {})
            for who, work in (("engine", run.engine), ("alembic", run.alembic)):
                if who in found and "error" not in found[who]:
                    continue
                found[who] = _attempted(work, case)
                found[who]["load_average"] = round(os.getloadavg()[0], 1)
                shown = f"{time.monotonic() - began:6.0f} s  {number}/{len(chosen)} {case.name}, {who}: "
                console.print(shown + _told(found[who]))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _attempted(work: Callable[[LoadCase], dict[str, Any]], case: LoadCase) -> dict[str, Any]:
    try:
        return work(case)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other classes are still measured, and it is told
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}


def _told(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"FAILED: {result['error']}"
    return f"longest stall {result['longest_stall_ms']} ms, {result['refused']} refused, took {result['seconds']} s"


def _error(document: dict[str, Any], name: str, who: str) -> str | None:
    error: str | None = document["changes"][name].get(who, {}).get("error")
    return error


if __name__ == "__main__":
    sys.exit(main())
