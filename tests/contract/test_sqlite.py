"""SQLite through sqlite3 holds every contract of a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    ExecutorContract,
    InspectorContract,
    LedgerContract,
    MigrationLockContract,
    PrunerContract,
    RunnerContract,
    SessionContract,
    VersionedTrackContract,
)
from tests.contract.sql import SqlHarness, SqlRunnerHarness


class Database:
    adapter = "sqlite"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        return SqlHarness(f"sqlite:///{tmp_path / 'app.db'}", f"sqlite:///{tmp_path / 'app.db'}", tmp_path)


class Running:
    adapter = "sqlite"

    @pytest.fixture
    def runner(self, tmp_path: Path) -> SqlRunnerHarness:
        return SqlRunnerHarness(f"sqlite:///{tmp_path / 'app.db'}", f"sqlite:///{tmp_path / 'nowhere' / 'app.db'}")


class TestExecutor(Database, ExecutorContract): ...


class TestInspector(Database, InspectorContract): ...


class TestPruner(Database, PrunerContract): ...


class TestLedger(Database, LedgerContract): ...


class TestLock(Database, MigrationLockContract): ...


class TestSession(Database, SessionContract): ...


class TestVersionedTrack(Database, VersionedTrackContract): ...


class TestRunner(Running, RunnerContract): ...
