"""MariaDB through asyncmy holds every contract of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    AsyncRunnerContract,
    Scenario,
    database_contracts,
)
from tests._mariadb import MariadbDatabase
from tests.contract.mariadb import MariadbHarness
from tests.contract.sql import SqlRunnerHarness

pytestmark = pytest.mark.mariadb


class Database:
    adapter = "asyncmy"

    @pytest.fixture
    def harness(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mariadb_database: MariadbDatabase
    ) -> Iterator[MariadbHarness]:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        harness = MariadbHarness(mariadb_database.url, mariadb_database, tmp_path)
        yield harness
        mariadb_database.server.drop_database(harness.beside)


class Running:
    adapter = "asyncmy"

    @pytest.fixture
    def runner(self, mariadb_database: MariadbDatabase) -> SqlRunnerHarness:
        return SqlRunnerHarness(mariadb_database.url, "mariadb+asyncmy://u:secret@127.0.0.1:1/none")

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        return asyncio.run


globals().update(database_contracts(Database, life=False))


class TestRunner(Running, AsyncRunnerContract): ...
