"""Issue 2, point 8: modes, overrides, and life without dependency-injector."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationManager, MigrationSettings, RuntimeMode
from framework_m_migrations.container.context import Context
from framework_m_migrations.container.factories import PORTS
from framework_m_migrations.container.mode import detect_mode
from framework_m_migrations.domain.errors import ConfigurationError, UnsupportedDatabase
from framework_m_migrations.embedding.fleet import AsyncTenantCommands, TenantCommands
from scripts.waiting import PROGRAM_LIMIT


def metadata() -> sa.MetaData:
    found = sa.MetaData()
    sa.Table("thing", found, sa.Column("id", sa.Integer, primary_key=True))
    return found


def settings(tmp_path: Path) -> MigrationSettings:
    return MigrationSettings(database_url=f"sqlite:///{tmp_path / 'site.db'}", metadata=(metadata(),))


@pytest.mark.parametrize(
    ("chosen", "environ", "url", "platform", "mode"),
    [
        (None, {}, "postgresql+asyncpg://h/d", "linux", RuntimeMode.ASYNC),
        (None, {}, "postgresql://h/d", "linux", RuntimeMode.ASYNC),
        (None, {}, "postgresql+psycopg://h/d", "linux", RuntimeMode.SYNC),
        (None, {}, "sqlite+aiosqlite:///x", "linux", RuntimeMode.ASYNC),
        (None, {}, "sqlite:///x", "linux", RuntimeMode.SYNC),
        (None, {}, "sqlite+aiosqlite:///x", "emscripten", RuntimeMode.SYNC_WORKER),
        (None, {"FRAMEWORK_M_RUNTIME_MODE": "SYNC_WORKER"}, "sqlite:///x", "linux", RuntimeMode.SYNC_WORKER),
        (None, {"FRAMEWORK_M_RUNTIME_MODE": "monolith"}, "sqlite:///x", "linux", RuntimeMode.SYNC),
        ("sync", {"FRAMEWORK_M_RUNTIME_MODE": "async"}, "sqlite:///x", "emscripten", RuntimeMode.SYNC),
    ],
)
def test_the_mode_is_chosen_by_setting_environment_platform_and_url_in_this_order(
    chosen: str | None, environ: dict[str, str], url: str, platform: str, mode: RuntimeMode
) -> None:
    assert detect_mode(chosen, environ, url, platform) is mode


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="warp"):
        detect_mode("warp", {}, "sqlite://", "linux")


def test_a_browser_worker_takes_the_shared_url_of_a_file_and_refuses_a_server(tmp_path: Path) -> None:
    shared = MigrationSettings(
        f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", metadata=(metadata(),), mode=RuntimeMode.SYNC_WORKER
    )
    assert MigrationManager(shared).sync().applied
    server = MigrationSettings("postgresql+asyncpg://h/d", metadata=(metadata(),), mode=RuntimeMode.SYNC_WORKER)
    with pytest.raises(UnsupportedDatabase, match="browser"):
        MigrationManager(server).sync()


def test_a_port_is_overridden_in_three_lines(tmp_path: Path) -> None:
    made: list[str] = []

    def no_hooks(context: Context) -> object:
        made.append(context.mode.value)
        return type("Quiet", (), {"hooks": lambda self: ()})()

    MigrationManager(settings(tmp_path), overrides={"hooks": no_hooks}).sync()
    assert made == ["sync"]


def test_a_port_that_does_not_exist_cannot_be_overridden(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ledgr"):
        MigrationManager(settings(tmp_path), overrides={"ledgr": lambda _: None})


def test_the_dependency_injector_container_overrides_the_same_ports(tmp_path: Path) -> None:
    from dependency_injector import providers

    from framework_m_migrations.container.di import MigrationContainer

    container = MigrationContainer(settings=settings(tmp_path))
    used: list[bool] = []

    def no_hooks(context: Context) -> object:
        used.append(True)
        return type("Quiet", (), {"hooks": lambda self: ()})()

    container.hooks.override(providers.Object(no_hooks))
    MigrationManager(container=container).sync()
    assert used == [True]
    assert all(getattr(container, port) for port in PORTS)
    assert set(container.ports()) == set(PORTS)
    assert type(container.runner()).__name__ == "SyncSqlRunner"
    asynchronous = MigrationContainer(settings=MigrationSettings("sqlite+aiosqlite://", metadata=(metadata(),)))
    assert type(asynchronous.runner()).__name__ == "AsyncSqlRunner"


def run_without(modules: list[str], code: str, folder: Path) -> str:
    """Run code in a Python where these modules cannot be imported."""
    hide = f"import sys\nfor name in {modules!r}:\n    sys.modules[name] = None\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", hide + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SYNC = """
import sqlalchemy as sa
from framework_m_migrations import MigrationManager, MigrationSettings
metadata = sa.MetaData()
sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True))
manager = MigrationManager(MigrationSettings("sqlite:///site.db", metadata=(metadata,)))
print(manager.sync().steps, manager.plan(force=True).plan.is_empty)
"""


def test_the_factories_serve_alone_where_dependency_injector_is_absent(tmp_path: Path) -> None:
    assert run_without(["dependency_injector"], SYNC, tmp_path).split() == ["1", "True"]


def test_the_sqlite_path_needs_no_async_package_and_no_framework_m(tmp_path: Path) -> None:
    hidden = [
        "greenlet", "asyncpg", "aiosqlite", "dependency_injector", "psycopg",
        "framework_m", "framework_m_core", "framework_m_standard",
    ]  # fmt: skip
    assert run_without(hidden, SYNC, tmp_path).split() == ["1", "True"]


@pytest.mark.slow
def test_a_sync_that_has_nothing_to_do_imports_no_alembic(tmp_path: Path) -> None:
    run_without([], SYNC, tmp_path)
    assert (
        run_without(
            ["alembic"], SYNC.replace("print(", "(").replace("manager.sync().steps", "manager.sync()"), tmp_path
        )
        == ""
    )


def test_both_facades_have_the_same_commands_with_the_same_arguments() -> None:
    def commands(facade: type) -> dict[str, str]:
        return {
            name: str(inspect.signature(method)).replace("AsyncTenant", "Tenant")
            for name, method in inspect.getmembers(facade, inspect.isfunction)
            if not name.startswith("_")
        }

    assert commands(MigrationManager) == commands(AsyncMigrationManager)
    assert commands(TenantCommands) == commands(AsyncTenantCommands)


async def _use(manager: AsyncMigrationManager) -> tuple[bool, bool]:
    first = await manager.sync()
    second = await manager.sync()
    return first.applied, second.up_to_date


@pytest.mark.asyncio
async def test_an_engine_of_the_caller_is_used_and_left_open(tmp_path: Path) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}")
    manager = AsyncMigrationManager(MigrationSettings(metadata=(metadata(),)), engine=engine)
    assert await _use(manager) == (True, True)
    async with engine.connect() as connection:
        assert (await connection.execute(sa.text("SELECT count(*) FROM thing"))).scalar() == 0
        by_connection = AsyncMigrationManager(MigrationSettings(metadata=(metadata(),)), connection=connection)
        await connection.rollback()
        assert await _use(by_connection) == (True, True)
        assert not connection.closed
    await engine.dispose()


def test_a_transaction_of_the_caller_stays_the_callers(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'site.db'}")
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.exec_driver_sql("CREATE TABLE mine (id integer)")
        MigrationManager(MigrationSettings(metadata=(metadata(),)), connection=connection).sync()
        assert transaction.is_active
        assert {"thing", "mine"} <= set(sa.inspect(connection).get_table_names())
    engine.dispose()


@pytest.mark.asyncio
async def test_a_synchronous_command_inside_a_running_loop_is_refused(tmp_path: Path) -> None:
    inside = MigrationSettings(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}", metadata=(metadata(),))
    with pytest.raises(ConfigurationError, match="event loop"):
        MigrationManager(inside).sync()
