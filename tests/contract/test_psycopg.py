"""Postgres through psycopg holds every contract of a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework_m_migrations.testing import (
    RunnerContract,
    database_contracts,
)
from tests._postgres import PostgresDatabase
from tests.contract.sql import SqlHarness, SqlRunnerHarness


class Database:
    adapter = "psycopg"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_postgres: PostgresDatabase) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        return SqlHarness(empty_postgres.sync_url, empty_postgres.sync_url, tmp_path, schema="tenant")


class Running:
    adapter = "psycopg"

    @pytest.fixture
    def runner(self, empty_postgres: PostgresDatabase) -> SqlRunnerHarness:
        return SqlRunnerHarness(empty_postgres.sync_url, "postgresql+psycopg://u:secret@127.0.0.1:1/none")


globals().update(database_contracts(Database))


class TestRunner(Running, RunnerContract): ...
