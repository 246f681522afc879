"""Postgres through asyncpg holds every contract of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    AsyncRunnerContract,
    ExecutorContract,
    InspectorContract,
    LedgerContract,
    MigrationLockContract,
    PrunerContract,
    Scenario,
    SessionContract,
    VersionedTrackContract,
)
from tests._postgres import PostgresDatabase
from tests.contract.sql import SqlHarness, SqlRunnerHarness


class Database:
    adapter = "asyncpg"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_postgres: PostgresDatabase) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        return SqlHarness(empty_postgres.url, empty_postgres.sync_url, tmp_path, schema="tenant")


class Running:
    adapter = "asyncpg"

    @pytest.fixture
    def runner(self, empty_postgres: PostgresDatabase) -> SqlRunnerHarness:
        return SqlRunnerHarness(empty_postgres.url, "postgresql+asyncpg://u:secret@127.0.0.1:1/none")

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        return asyncio.run


class TestExecutor(Database, ExecutorContract): ...


class TestInspector(Database, InspectorContract): ...


class TestPruner(Database, PrunerContract): ...


class TestLedger(Database, LedgerContract): ...


class TestLock(Database, MigrationLockContract): ...


class TestSession(Database, SessionContract): ...


class TestVersionedTrack(Database, VersionedTrackContract): ...


class TestRunner(Running, AsyncRunnerContract): ...
