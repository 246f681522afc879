"""Several migrators at once: each change is applied once, and everybody ends well."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from scripts.waiting import PROGRAM_LIMIT
from tests.sync.conftest import Site

APPS = Path(__file__).parents[2] / "examples" / "apps"


@pytest.mark.slow
@pytest.mark.night  # By day a bigger crowd does the same: tests/crowds.
@pytest.mark.parametrize("site", ["sqlite", pytest.param("asyncpg", marks=pytest.mark.postgres)], indirect=True)
def test_processes_that_migrate_at_once_all_end_well(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "framework_m_migrations.cli", "all", "--apps", "shop,stock,crm_lite"]
    environ = {**os.environ, "PYTHONPATH": str(APPS), "DATABASE_URL": site.url}
    crowd = [
        subprocess.Popen(
            [*command, "--path", str(tmp_path)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(8)
    ]
    outputs = [process.communicate(timeout=PROGRAM_LIMIT)[0] for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 8, "\n".join(outputs)
    assert len(site.rows("SELECT version_num FROM alembic_version")) == 3
    assert sum("5f0c1a7be201" in output for output in outputs) == 1, "one of them applied the revisions"


@pytest.mark.parametrize("site", ["aiosqlite", pytest.param("asyncpg", marks=pytest.mark.postgres)], indirect=True)
def test_coroutines_of_one_loop_that_boot_at_once_all_end_well(site: Site) -> None:
    metadata = sa.MetaData()
    for number in range(5):
        sa.Table(f"t{number}", metadata, sa.Column("id", sa.Integer, primary_key=True))
    settings = MigrationSettings(site.url, metadata=(metadata,))

    async def boot() -> list[int]:
        results = await asyncio.gather(*(AsyncMigrationManager(settings).sync() for _ in range(16)))
        return [result.steps for result in results]

    steps = asyncio.run(boot())
    assert sum(1 for count in steps if count) == 1
    assert len(site.rows("SELECT doctype_name FROM __schema_versions__")) == 5
