"""SQLite through aiosqlite holds every contract of a database."""

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
from tests.contract.sql import SqlHarness, SqlRunnerHarness


class Database:
    adapter = "aiosqlite"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        return SqlHarness(f"sqlite+aiosqlite:///{tmp_path / 'app.db'}", f"sqlite:///{tmp_path / 'app.db'}", tmp_path)


class Running:
    adapter = "aiosqlite"

    @pytest.fixture
    def runner(self, tmp_path: Path) -> SqlRunnerHarness:
        return SqlRunnerHarness(
            f"sqlite+aiosqlite:///{tmp_path / 'app.db'}", f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'app.db'}"
        )

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        return asyncio.run


globals().update(database_contracts(Database, life=False))


class TestRunner(Running, AsyncRunnerContract): ...
