"""Sixteen migrators at once on a database with rows: each change is applied once, and everybody ends well."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.domain.options import LockOptions
from scripts.waiting import PROGRAM_LIMIT
from tests._postgres import PostgresServer
from tests.histories.traits import Traits
from tests.killed.project import write_project
from tests.killed.sites import Copy, Files, Forker, OnPostgres, execute, look

CROWD = 16
RELEASED = 8
"""Revisions of the released project."""


@dataclass(frozen=True)
class Release:
    """A database with rows from before a release, the released project, and what becomes of it."""

    database: Copy
    project: Path
    expected: Traits


@pytest.fixture(params=["sqlite", "asyncpg"])
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Release]:
    before = write_project(tmp_path / "before", released=False)
    project = write_project(tmp_path / "after", released=True)
    server: PostgresServer | None = None
    if request.param != "sqlite":
        server = request.getfixturevalue("postgres_server")
    site: Files | OnPostgres = Files(tmp_path) if server is None else OnPostgres(server, request.param)
    base = site.empty()
    fork = Forker()
    assert fork("all", base, before)["code"] is None
    names = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    execute(
        base,
        f"INSERT INTO customer (id, name, kind) {names} SELECT i, 'name ' || i, 'trade' FROM n",
        f"INSERT INTO invoice (id, customer_id, total) {names} SELECT i, i, i FROM n",
    )
    with site.copy(base) as copy:
        assert fork("all", copy, project)["code"] is None
        expected = look(copy).traits
    fork.close()
    yield Release(base, project, expected)
    if isinstance(site, OnPostgres):
        site.close()


def everything_once(release: Release, applied: list[str], steps: list[int]) -> None:
    """Each revision was applied by one of the crowd, the plan too, and no trace of a race is left."""
    assert sorted(applied) == [f"yard{number:04}" for number in range(3, RELEASED + 1)]
    assert sum(1 for count in steps if count) == 1
    found = look(release.database)
    assert found.traits == release.expected
    assert not [key for key in found.traits if key[0] in {"invalid index", "pending constraint"}]
    assert len(found.rows["customer"]) == len(found.rows["made3"]) == 3000
    assert {row[1] for row in found.rows["customer"]} == {f"name {n}4" for n in range(1, 3001)}, (
        "updated twice, or never"
    )
    assert found.column("alembic_version") == {f"yard{RELEASED:04}"}


@pytest.mark.slow
def test_sixteen_processes_run_all_at_once(release: Release) -> None:
    command = [sys.executable, "-m", "framework_m_migrations.cli", "all", "--apps", "yard", "--json"]
    environ = {**os.environ, "DATABASE_URL": release.database.url}
    crowd = [
        subprocess.Popen(
            [*command, "--path", str(release.project), "--lock-wait", "500s"],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(CROWD)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=PROGRAM_LIMIT) for process in crowd]
    assert [process.returncode for process in crowd] == [0] * CROWD, [err for _, err in outputs if err]
    told: list[dict[str, Any]] = [json.loads(out) for out, _ in outputs]
    applied = [name for one in told for name in one["run"]["revisions"]]
    everything_once(release, applied, [one["sync"]["steps_done"] for one in told])


@pytest.mark.slow
@pytest.mark.parametrize("release", ["asyncpg", pytest.param("sqlite", marks=pytest.mark.night)], indirect=True)
def test_sixteen_boots_of_one_loop(release: Release) -> None:
    url = release.database.url.replace("sqlite:", "sqlite+aiosqlite:")
    settings = MigrationSettings(url, apps=("yard",), path=release.project, locks=LockOptions(wait=500.0))

    async def boot() -> list[Any]:
        return await asyncio.gather(*(AsyncMigrationManager(settings).all() for _ in range(CROWD)))

    try:
        results = asyncio.run(boot())
    finally:
        sys.path.remove(str(release.project.resolve()))
        for name in [name for name in sys.modules if name.split(".")[0] == "yard"]:
            del sys.modules[name]
    applied = [name for one in results for name in one.run.revisions]
    everything_once(release, applied, [one.sync.steps for one in results])


def test_a_database_of_a_crowd_is_left_without_connections(postgres_server: PostgresServer) -> None:
    """What the crowd is measured against: a connection left open would hold its locks for ever."""
    database = postgres_server.create_database()
    metadata = sa.MetaData()
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True))
    settings = MigrationSettings(database.url, metadata=(metadata,))

    async def boot() -> None:
        await asyncio.gather(*(AsyncMigrationManager(settings).sync() for _ in range(CROWD)))

    asyncio.run(boot())
    engine = sa.create_engine(postgres_server.url(driver="psycopg"), poolclass=sa.pool.NullPool)
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND state <> 'idle'")
    with engine.connect() as connection:
        assert connection.scalar(query, {"name": database.name}) == 0
    postgres_server.drop_database(database.name)
