"""DuckDB holds every contract of a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    ExecutorContract,
    InspectorContract,
    LedgerContract,
    LifeContract,
    MigrationLockContract,
    PrunerContract,
    RunnerContract,
    SessionContract,
    SqlHarness,
    SqlRunnerHarness,
    VersionedTrackContract,
)


class Database:
    adapter = "duckdb"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        url = f"duckdb:///{tmp_path / 'app.duckdb'}"
        return SqlHarness(url, url, tmp_path, schema="other")


class TestExecutor(Database, ExecutorContract): ...


class TestInspector(Database, InspectorContract): ...


class TestPruner(Database, PrunerContract): ...


class TestLedger(Database, LedgerContract): ...


class TestLife(Database, LifeContract): ...


class TestLock(Database, MigrationLockContract): ...


class TestSession(Database, SessionContract): ...


class TestVersionedTrack(Database, VersionedTrackContract): ...


class TestRunner(RunnerContract):
    adapter = "duckdb"

    @pytest.fixture
    def runner(self, tmp_path: Path) -> SqlRunnerHarness:
        missing = tmp_path / "nowhere" / "app.duckdb"
        return SqlRunnerHarness(f"duckdb:///{tmp_path / 'app.duckdb'}", f"duckdb:///{missing}")
