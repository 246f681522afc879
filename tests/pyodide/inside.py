"""Run by scripts/pyodide_node.mjs: pytest inside Pyodide, its results written to /out/results.json."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

# Whatever runs here runs without them: an import of one is an error.
NEVER = ("aiosqlite", "asyncpg", "dependency_injector", "greenlet", "sqlalchemy.ext.asyncio")


class Recorder:
    """What became of each test."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        entry = self.results.setdefault(report.nodeid, {"outcome": "passed", "text": "", "properties": []})
        if report.outcome != "passed":
            entry["outcome"] = report.outcome
            entry["text"] += f"{report.when}: {report.longreprtext}\n"
        entry["properties"] = [list(pair) for pair in report.user_properties]

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "passed":
            self.results[report.nodeid] = {"outcome": "failed", "text": report.longreprtext, "properties": []}


def main() -> int:
    sys.modules.update(dict.fromkeys(NEVER))  # type: ignore[arg-type]
    import pytest

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir("/repo")
    importlib.invalidate_caches()
    recorder = Recorder()
    options = ["-c", "/dev/null", "--rootdir=/repo", "--confcutdir=/repo/tests/pyodide", "--import-mode=importlib"]
    options += ["-p", "no:cacheprovider", "-W", "error", "-q", "--tb=short"]
    # importlib.metadata looks for entry points in the archive of the standard library and leaves it to be collected.
    options += ["-W", "ignore:unclosed file <_io.BufferedReader name='/lib/python:ResourceWarning"]
    options += ["-o", "markers=pyodide: here", *sys.argv[1:]]
    code = pytest.main(options, plugins=[recorder])
    Path("/out/results.json").write_text(json.dumps({"code": int(code), "tests": recorder.results}), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    main()
