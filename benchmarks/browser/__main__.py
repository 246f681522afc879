"""python -m benchmarks.browser [--repeat N] [--json FILE]"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.browser.inside import COLUMNS, TABLES
from scripts.playground import build
from scripts.pyodide_setup import ROOT

WAYS = {"idbfs": "this, IndexedDB", "opfs": "this, private files", "plain": "SQLAlchemy + Alembic"}


def downloads(folder: Path) -> dict[str, tuple[int, int]]:
    """By what it is: bytes, and bytes as a server that compresses sends them."""
    parts = {
        "Pyodide": sorted((folder / "pyodide").iterdir()),
        "SQLAlchemy, Alembic and this, precompiled": [folder / "packages.zip"],
        "of Framework M, for DocTypes": [folder / "doctypes.zip"],
    }
    return {
        name: (
            sum(file.stat().st_size for file in files),
            sum(min(file.stat().st_size, len(gzip.compress(file.read_bytes()))) for file in files),
        )
        for name, files in parts.items()
    }


def measure(folder: Path, repeat: int) -> dict[str, object]:
    """The browser's version, and by way and case the median in milliseconds."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("These benchmarks need Node 20 or later.")
    output = folder / "results.json"
    script = ["benchmarks/browser/bench.mjs", str(folder / "playground"), str(output), str(repeat)]
    if subprocess.run([node, *script], cwd=ROOT, check=False).returncode:
        raise SystemExit("The browser could not be driven; what it said is above.")
    found = json.loads(output.read_text())
    medians = {
        way: {case: statistics.median(run[case] for run in runs) for case in runs[0]}
        for way, runs in found["results"].items()
    }
    return {"chromium": found["version"], "milliseconds": medians}


def show(console: Console, document: dict[str, object], sizes: dict[str, tuple[int, int]]) -> None:
    table = Table("download", "MB", "MB compressed")
    for name, (size, packed) in sizes.items():
        table.add_row(name, f"{size / 1e6:.1f}", f"{packed / 1e6:.1f}")
    console.print(table)
    medians: dict[str, dict[str, float]] = document["milliseconds"]  # type: ignore[assignment]
    table = Table(f"milliseconds, {TABLES} tables of {COLUMNS} columns", *WAYS.values())
    for case in dict.fromkeys(case for cases in medians.values() for case in cases):
        values = (medians[way].get(case) for way in WAYS)
        table.add_row(case, *("" if value is None else f"{value:,.0f}" for value in values))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the engine costs in a browser's tab.")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "playground")
        sizes = downloads(folder / "playground")
        document = {"download": sizes, **measure(folder, arguments.repeat)}
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1))
    show(Console(), document, sizes)


if __name__ == "__main__":
    main()
