"""Postgres through asyncpg holds every contract of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    AsyncRunnerContract,
    Scenario,
    database_contracts,
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


globals().update(database_contracts(Database, life=False))


class TestRunner(Running, AsyncRunnerContract): ...
