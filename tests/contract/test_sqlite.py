"""SQLite through sqlite3 holds every contract of a database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.testing import (
    LifeContract,
    RunnerContract,
    database_contracts,
)
from framework_m_migrations.testing.contracts.life import FORBIDDEN
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


globals().update(database_contracts(Database))


@pytest.mark.parametrize("capability", FORBIDDEN)
class TestLifeWithout(Database, LifeContract):
    """SQLite with one capability less: what it needs is withheld, and the rest goes on."""

    @pytest.fixture(autouse=True)
    def _without(self, capability: str, monkeypatch: pytest.MonkeyPatch) -> None:
        able, less = SqliteDialect.capabilities, cast("Any", {capability: False})
        monkeypatch.setattr(SqliteDialect, "capabilities", lambda *given: replace(able(*given), **less))


class TestRunner(Running, RunnerContract): ...
