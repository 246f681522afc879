"""The browser's adapter holds every contract, inside Pyodide. On the host these tests tell what came of them there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from framework_m_migrations.testing import (
    AsyncRunnerContract,
    ExecutorContract,
    InspectorContract,
    LedgerContract,
    MigrationLockContract,
    PersistenceContract,
    PrunerContract,
    Scenario,
    SessionContract,
    VersionedTrackContract,
)
from tests.pyodide.where import INSIDE

if INSIDE or TYPE_CHECKING:
    from tests.pyodide import harnesses

pytestmark = pytest.mark.pyodide


class Inside:
    adapter = "pyodide"

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        return harnesses.carry_out


class Database(Inside):
    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        return harnesses.WorkerHarness(tmp_path)


class TestExecutor(Database, ExecutorContract): ...


class TestInspector(Database, InspectorContract): ...


class TestPruner(Database, PrunerContract): ...


class TestLedger(Database, LedgerContract): ...


class TestLock(Database, MigrationLockContract): ...


class TestSession(Database, SessionContract): ...


class TestVersionedTrack(Database, VersionedTrackContract): ...


class TestRunner(Inside, AsyncRunnerContract):
    @pytest.fixture
    def runner(self, tmp_path: Path) -> Any:
        return harnesses.WorkerRunnerHarness(tmp_path)


class TestPersistence(Inside, PersistenceContract):
    @pytest.fixture
    def store(self, request: pytest.FixtureRequest) -> Any:
        return harnesses.IdbfsStores(request)
