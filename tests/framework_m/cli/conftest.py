"""Projects on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests._postgres import PostgresDatabase
from tests.framework_m.cli.project import Project, Server


@pytest.fixture(scope="session")
def m_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def on_sqlite(tmp_path: Path, m_server: Server) -> Project:
    file = tmp_path / "site.db"
    return Project(tmp_path, f"sqlite+aiosqlite:///{file}", f"sqlite:///{file}", m_server)


@pytest.fixture
def on_postgres(tmp_path: Path, m_server: Server, postgres_database: PostgresDatabase) -> Project:
    return Project(tmp_path, postgres_database.url, postgres_database.sync_url, m_server)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def project(request: pytest.FixtureRequest) -> Project:
    name = f"on_{request.param}"
    made: Project = request.getfixturevalue(name)
    return made
