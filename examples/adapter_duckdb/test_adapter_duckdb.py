"""DuckDB holds every contract of a database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.testing import (
    RunnerContract,
    SqlHarness,
    SqlRunnerHarness,
    database_contracts,
)


class Database:
    adapter = "duckdb"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        url = f"duckdb:///{tmp_path / 'app.duckdb'}"
        return SqlHarness(url, url, tmp_path, schema="other")


globals().update(database_contracts(Database))


class TestRunner(RunnerContract):
    adapter = "duckdb"

    @pytest.fixture
    def runner(self, tmp_path: Path) -> SqlRunnerHarness:
        missing = tmp_path / "nowhere" / "app.duckdb"
        return SqlRunnerHarness(f"duckdb:///{tmp_path / 'app.duckdb'}", f"duckdb:///{missing}")


def test_duckdb_has_no_driver_that_can_be_awaited(tmp_path: Path) -> None:
    settings = MigrationSettings(f"duckdb:///{tmp_path / 'app.duckdb'}", metadata=(sa.MetaData(),), allow_empty=True)
    with pytest.raises(ConfigurationError, match="is synchronous and cannot be awaited"):
        asyncio.run(AsyncMigrationManager(settings).plan())
