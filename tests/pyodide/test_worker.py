"""The engine in a browser's worker: modules, modes, both tracks, hooks, many cycles."""

from __future__ import annotations

import gc
import importlib
import itertools
import pkgutil
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import framework_m_migrations
from framework_m_migrations import AsyncMigrationManager, MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError, HookFailed, UnsupportedDatabase
from tests.pyodide.inside import NEVER
from tests.pyodide.where import INSIDE

pytestmark = pytest.mark.pyodide

SERVER_ONLY = (
    "framework_m_migrations.__main__",
    "framework_m_migrations.adapters.sql.async_",
    "framework_m_migrations.adapters.sql.dialects.mariadb",
    "framework_m_migrations.alembic_env",
    "framework_m_migrations.cli",
    "framework_m_migrations.container.di",
    "framework_m_migrations.embedding.framework_m",
    "framework_m_migrations.testing",
)
_numbers = itertools.count(1)


def things(*columns: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "thing", metadata, sa.Column("id", sa.Integer, primary_key=True), *(sa.Column(c, sa.Text) for c in columns)
    )
    return metadata


@pytest.fixture
def folder() -> str:
    """A folder that is persisted, as /data of an application."""
    return f"/data/{next(_numbers)}"


def manager(folder: str, metadata: sa.MetaData, **more: Any) -> AsyncMigrationManager:
    settings = MigrationSettings(f"sqlite+aiosqlite:///{folder}/dev.db", metadata=(metadata,), **more)
    return AsyncMigrationManager(settings)


def connect(folder: str) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{folder}/dev.db", poolclass=sa.NullPool)


def columns(folder: str) -> list[str]:
    return [column["name"] for column in sa.inspect(connect(folder)).get_columns("thing")]


def test_every_module_of_the_browsers_path_imports() -> None:
    names = [
        found.name
        for found in pkgutil.walk_packages(
            framework_m_migrations.__path__, "framework_m_migrations.", onerror=lambda _: None
        )
        if not found.name.startswith(SERVER_ONLY)
    ]
    assert len(names) > 150
    for name in names:
        importlib.import_module(name)
    assert [name for name in NEVER if sys.modules.get(name, name) is not None] == []  # see inside.py


async def test_the_shared_configuration_serves_and_the_result_is_stored(folder: str) -> None:
    first = await manager(folder, things("name")).sync()
    assert first.applied
    assert first.steps
    with connect(folder).begin() as connection:
        connection.execute(sa.text("INSERT INTO thing (name) VALUES ('kept')"))
    assert (await manager(folder, things("name")).sync()).up_to_date
    another_worker(folder)
    second = await manager(folder, things("name", "note")).sync()
    assert second.steps
    assert columns(folder) == ["id", "name", "note"]
    with connect(folder).connect() as connection:
        assert connection.execute(sa.text("SELECT name, note FROM thing")).all() == [("kept", None)]
    assert not (await manager(folder, things("name", "note")).verify()).findings


async def test_other_databases_are_refused_with_the_reason(folder: str) -> None:
    settings = MigrationSettings("postgresql+asyncpg://localhost/app", metadata=(things(),))
    for database in (AsyncMigrationManager(settings).sync, AsyncMigrationManager(settings).plan):
        with pytest.raises(UnsupportedDatabase, match="no sockets"):
            await database()


async def test_an_engine_of_the_caller_is_used_and_its_files_are_left_to_the_caller(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/mine.db", poolclass=sa.NullPool)
    settings = MigrationSettings(metadata=(things("name"),))
    assert (await AsyncMigrationManager(settings, engine=engine).sync()).steps
    assert sa.inspect(engine).has_table("thing")


def test_without_awaiting_it_works_on_files_as_they_are(tmp_path: Path) -> None:
    settings = MigrationSettings(f"sqlite+aiosqlite:///{tmp_path}/plain.db", metadata=(things("name"),))
    assert MigrationManager(settings).sync().applied
    assert not MigrationManager(settings).verify().findings


HOOKS = """
import asyncio
calls = []
def before_sync(plan, connection):
    calls.append(("before", len(plan.applied) if hasattr(plan, "applied") else 0))
async def after_sync(result, engine):
    await asyncio.sleep(0.01)
    calls.append(("after", bool(result.applied)))
    if fails:
        raise ValueError("on purpose")
fails = False
"""


def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hooks: str = "") -> str:
    name = f"shop_{next(_numbers)}"
    package = tmp_path / name
    (package / "migrations" / "versions").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "__init__.py").write_text(hooks)
    (package / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
        'sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return name


async def test_hooks_plain_and_async_are_called(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(tmp_path, monkeypatch, HOOKS)
    settings = MigrationSettings(f"sqlite:///{folder}/dev.db", apps=(app,), path=tmp_path)
    assert (await AsyncMigrationManager(settings).sync()).steps
    hooks = importlib.import_module(f"{app}.migrations")
    assert [name for name, _ in hooks.calls] == ["before", "after"]
    assert hooks.calls[1] == ("after", True)


async def test_a_failing_async_hook_is_told_and_finished_steps_are_stored(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path, monkeypatch, HOOKS.replace("fails = False", "fails = True"))
    settings = MigrationSettings(f"sqlite:///{folder}/dev.db", apps=(app,), path=tmp_path)
    with pytest.raises(HookFailed, match="on purpose"):
        await AsyncMigrationManager(settings).sync()
    another_worker(folder)
    assert (await manager(folder, things("name")).plan()).plan.changes == ()
    assert columns(folder) == ["id", "name"]


async def test_the_versioned_track(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(tmp_path, monkeypatch)
    settings = MigrationSettings(f"sqlite+aiosqlite:///{folder}/dev.db", apps=(app,), path=tmp_path)
    whole = AsyncMigrationManager(settings)
    created = await whole.create("first", app=app)
    assert created.path is not None
    assert (await whole.run()).revisions == (created.revision,)
    another_worker(folder)
    done = await whole.all()
    assert not done.run.revisions
    assert not (await whole.verify()).dirty
    assert columns(folder) == ["id", "name"]
    await whole.rollback(app=app)
    another_worker(folder)
    assert (await whole.status()).to_dict()
    assert not sa.inspect(connect(folder)).has_table("thing")
    assert (await whole.all()).run.revisions
    assert columns(folder) == ["id", "name"]


async def test_fifty_cycles_leave_nothing_behind(folder: str) -> None:
    def growth() -> int:
        gc.collect()
        return len(gc.get_objects())

    async def cycle() -> None:
        for _ in range(2):
            assert (await manager(folder, things("name")).sync()).steps
            delete(folder)

    for _ in range(10):
        await cycle()
    early, heap = growth(), wasm_memory()
    for _ in range(40):
        await cycle()
    assert growth() < early * 1.02
    assert wasm_memory() <= heap * 1.02


async def test_a_synchronous_command_on_the_loop_names_the_way_out_for_async_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(tmp_path, monkeypatch, HOOKS)
    settings = MigrationSettings(f"sqlite:///{tmp_path}/dev.db", apps=(app,), path=tmp_path)
    with pytest.raises((HookFailed, ConfigurationError), match="AsyncMigrationManager"):
        MigrationManager(settings).sync()


if INSIDE:
    from tests.pyodide.files import another_worker, delete, wasm_memory
