"""The kit as somebody else uses it: a package of their own, outside of this tree, with a dialect of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT

# By day the adapter for DuckDB is such a package: tests/demo/test_adapters.py.
pytestmark = pytest.mark.night

DIALECT = """
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

class TheirSqlAlchemyDialect(SQLiteDialect_pysqlite):
    name = "theirs"
    supports_statement_cache = True

class TheirDialect(SqliteDialect):
    @property
    def name(self):
        return "theirs"
"""
SUITE = """
import pytest
import their_package
from framework_m_migrations.container.factories import sql_dialect
from framework_m_migrations.testing import LedgerContract, MigrationLockContract, RunnerContract
from framework_m_migrations.testing import SqlHarness, SqlRunnerHarness

class Database:
    adapter = "theirs"

    @pytest.fixture
    def harness(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        url = f"theirs:///{tmp_path / 'their.db'}"
        return SqlHarness(url, url, tmp_path)

class TestLedger(Database, LedgerContract): ...
class TestLock(Database, MigrationLockContract): ...
class TestRunner(RunnerContract):
    adapter = "theirs"

def test_the_dialect_is_found_by_its_name():
    assert type(sql_dialect("theirs")) is their_package.TheirDialect
    assert sql_dialect("nobodys") is None
"""


def test_a_package_of_its_own_brings_a_dialect_and_proves_it(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    information = installed / "their_package-1.0.dist-info"
    information.mkdir(parents=True)
    (installed / "their_package.py").write_text(DIALECT)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[framework_m_migrations.dialects]\ntheirs = their_package:TheirDialect\n"
        "[sqlalchemy.dialects]\ntheirs = their_package:TheirSqlAlchemyDialect\n"
    )
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_theirs.py").write_text(SUITE)
    report = tmp_path / "report.json"
    options = (
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "framework_m_migrations.testing.plugin",
        f"--rootdir={suite}",
        "--contract-report",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--contract-report-json={report}", str(suite)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=suite,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    read = json.loads(report.read_text())
    verdicts = {key: entry["verdict"] for key, entry in read["adapters"]["theirs"].items()}
    ledger = {key: verdict for key, verdict in verdicts.items() if key.startswith(("ledger.", "lock."))}
    assert len(ledger) > 20, done.stdout
    assert set(ledger.values()) <= {"held", "not applicable"}, done.stdout
    # A contract without its fixture proves nothing, and says what is wanted.
    assert read["conforms"] is False
    assert "needs a fixture 'runner'" in done.stdout
    assert "test_the_dialect_is_found_by_its_name" not in done.stdout, done.stdout
