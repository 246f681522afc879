"""Projects with an alembic.ini and an env.py of their own, in a browser's worker."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import pytest

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import EnvironmentBroken

pytestmark = pytest.mark.pyodide
_numbers = itertools.count(1)

SHARED = """
from alembic import context
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
"""
CLASSIC = """
import asyncio
from alembic import context
async def main():
    from sqlalchemy.ext.asyncio import async_engine_from_config
    engine = async_engine_from_config(context.config.get_section("alembic"))
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: context.configure(connection=sync))
asyncio.run(main())
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision = "first{number}"
down_revision = None
branch_labels = ("{app}",)
def upgrade():
    op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True))
def downgrade():
    op.drop_table("thing")
"""


def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str) -> AsyncMigrationManager:
    number = next(_numbers)
    app = f"env_app_{number}"
    versions = tmp_path / app / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / app / "__init__.py").touch()
    (versions / "first.py").write_text(REVISION.format(number=number, app=app))
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    (tmp_path / "alembic").mkdir()
    (tmp_path / "alembic" / "env.py").write_text(env)
    (tmp_path / "alembic" / "script.py.mako").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return AsyncMigrationManager(MigrationSettings(f"sqlite:////env/{number}/dev.db", apps=(app,), path=tmp_path))


async def test_an_env_py_that_takes_the_shared_connection_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = make_project(tmp_path, monkeypatch, SHARED)
    assert len((await manager.run()).revisions) == 1
    assert not (await manager.run()).revisions
    assert len((await manager.rollback()).revisions) == 1


async def test_an_env_py_that_calls_asyncio_run_gets_an_error_that_names_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = make_project(tmp_path, monkeypatch, CLASSIC)
    with pytest.raises(EnvironmentBroken) as caught:
        await manager.run()
    assert "env.py" in caught.value.what
    assert "config.attributes" in caught.value.next_step
    assert "event loop" in caught.value.next_step
