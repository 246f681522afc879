"""MariaDB through PyMySQL holds every contract of a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    RunnerContract,
    database_contracts,
)
from tests._mariadb import MariadbDatabase
from tests.contract.mariadb import MariadbHarness
from tests.contract.sql import SqlRunnerHarness

pytestmark = pytest.mark.mariadb


class Database:
    adapter = "pymysql"

    @pytest.fixture
    def harness(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mariadb_database: MariadbDatabase
    ) -> Iterator[MariadbHarness]:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        harness = MariadbHarness(mariadb_database.sync_url, mariadb_database, tmp_path)
        yield harness
        mariadb_database.server.drop_database(harness.beside)


class Running:
    adapter = "pymysql"

    @pytest.fixture
    def runner(self, mariadb_database: MariadbDatabase) -> SqlRunnerHarness:
        return SqlRunnerHarness(mariadb_database.sync_url, "mariadb+pymysql://u:secret@127.0.0.1:1/none")


globals().update(database_contracts(Database))


class TestRunner(Running, RunnerContract): ...
