"""Booting: the real host's hydrate_apps and startup hooks, in this process and in many at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from framework_m_standard.adapters.events.nats_event_bus import NatsEventBusAdapter
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from framework_m_migrations.embedding.framework_m import event_bus
from scripts.waiting import LIMIT
from tests.framework_m.cli.project import Project
from tests.framework_m.cli.test_web_server import free_ports
from tests.framework_m.conftest import MakeApp
from tests.framework_m.test_loading import doctype
from tests.support.statements import recorded


@pytest.mark.night  # By day ten replicas of the web server boot: test_web_server.py.
def test_ten_replicas_boot_at_once(on_postgres: Project) -> None:
    on_postgres.things("title: str = ''")
    runs = [on_postgres.start("boot") for _ in range(10)]
    assert [run.wait() for run in runs] == [0] * 10, [run.err for run in runs]
    hooks = [run.json()["hooks"] for run in runs]
    assert {len(found) for found in hooks} == {1}
    applied = sorted(found[0]["applied"] for found in hooks)
    assert applied[:9] == [0] * 9
    assert applied[9] >= 45
    for run in runs:
        assert "rror" not in run.err
        assert "failed" not in run.err
    triggers = "select count(*) from pg_trigger where not tgisinternal and tgname = 'trg_protect_outbox_envelope'"
    assert on_postgres.sql(triggers) == [(1,)]


@pytest.mark.parametrize("installed", ["shop", "shop,framework_m_migrations", ""])
def test_whatever_installed_apps_says_this_engine_boots(on_sqlite: Project, installed: str) -> None:
    on_sqlite.things("title: str = ''")
    if installed:
        on_sqlite.env["INSTALLED_APPS"] = installed
    run = on_sqlite.start("boot")
    assert run.wait() == 0, run.err
    assert [found["hook"] for found in run.json()["hooks"]] == ["framework_m_migrations.embedding.framework_m.boot"]
    assert "Thing" in run.json()["tables"]
    assert {"thing", "_jobs", "__schema_versions__"} <= on_sqlite.tables()
    found = {name for (name,) in on_sqlite.sql("select name from sqlite_master where type = 'trigger'")}
    assert found == {"trg_protect_outbox_envelope_update", "trg_protect_outbox_envelope_delete"}
    assert on_sqlite.plan() == []


def test_the_hosts_triggers_are_no_drift_and_others_are(on_sqlite: Project) -> None:
    on_sqlite.things("title: str = ''", meta="tamper_proof = True")
    run = on_sqlite.start("boot")
    assert run.wait() == 0, run.err
    made = "select count(*) from sqlite_master where type = 'trigger' and tbl_name = 'thing'"
    assert on_sqlite.sql(made) == [(2,)]
    on_sqlite.m("verify", "--strict")
    on_sqlite.sql("create trigger trg_prevent_more before insert on thing begin select 1; end")
    found = [finding["what"] for finding in on_sqlite.json("verify", "--strict", code=3)["findings"]]
    assert found == ["thing: trigger trg_prevent_more is in no model"]
    on_sqlite.m("verify", "--strict", "--exclude", "trigger:trg_prevent_*")


@pytest.fixture
def container() -> Iterator[object]:
    """The host's container keeps its providers for the life of the process; what a boot leaves is taken out again."""
    from framework_m_core.container import Container

    config, hooks = dict(Container.config._config), list(Container.startup_hooks._items)
    yield Container()
    Container.config._config.clear()
    Container.config._config.update(config)
    Container.startup_hooks._items[:] = hooks


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'site.db'}")
    yield made
    await made.dispose()


async def boot_here(container: object, engine: AsyncEngine) -> list[object]:
    """The steps that concern the schema, and the hooks that they leave."""
    from framework_m_standard.bootstrap.sync_schema import SyncSchema as HostStep

    from framework_m_migrations.embedding.framework_m.boot import SilenceSyncSchema, SyncSchema

    container.startup_hooks._items.clear()  # type: ignore[attr-defined]
    container.config.engine.from_value(engine)  # type: ignore[attr-defined]
    steps: list[Any] = [HostStep(), SyncSchema(), SilenceSyncSchema()]
    for step in sorted(steps, key=lambda one: one.order):
        step.run(container)
    return [await hook(container) for hook in container.startup_hooks()]  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_booting_again_in_one_process(container: object, engine: AsyncEngine, make_app: MakeApp) -> None:
    from framework_m_standard.adapters.db.table_registry import TableRegistry

    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    (first,) = await boot_here(container, engine)
    with recorded(engine.sync_engine) as statements:
        await boot_here(container, engine)
    # The triggers that the first boot made count as no change: two statements, and a look at the triggers.
    assert len(statements.sent) <= 4
    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''\n    extra: int = 1")})
    (second,) = await boot_here(container, engine)
    (third,) = await boot_here(container, engine)
    assert [p.change.table.name for p in second.plan.plan.applied] == ["thing"]  # type: ignore[attr-defined]
    assert not first.up_to_date  # type: ignore[attr-defined]
    assert third.plan.plan.applied == ()  # type: ignore[attr-defined]
    assert "extra" in TableRegistry().get_table("Thing").columns
    assert container.config.get("auto_sync_schema") is None  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_events_reach_the_hosts_bus_once_it_is_connected(
    container: Any, engine: AsyncEngine, make_app: MakeApp
) -> None:
    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    container.event_bus.reset()
    bus, found = container.event_bus(), []

    async def take(event: Any) -> None:
        found.append(event)
        if event.data["number"] == 1:
            raise ZeroDivisionError

    await bus.subscribe("migration.step_finished", take)
    await boot_here(container, engine)
    assert found == []
    await bus.connect()
    while publishing := tuple(event_bus._publishing):
        await asyncio.wait(publishing)
    assert [event.data["number"] for event in found] == list(range(1, found[0].data["total"] + 1))
    assert found[0].source == "framework_m_migrations"
    assert sum(event.data["operations"] for event in found) > 44
    await boot_here(container, engine)
    while publishing := tuple(event_bus._publishing):
        await asyncio.wait(publishing)
    assert len(found) == found[0].data["total"]


@pytest.mark.asyncio
async def test_events_reach_a_nats_server(
    container: Any, engine: AsyncEngine, make_app: MakeApp, tmp_path: Path
) -> None:
    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    (port,) = free_ports(1)
    program = Path(sys.executable).with_name("nats-server")
    command = [str(program), "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(tmp_path)]
    server = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert server.stderr is not None
    bus, found = NatsEventBusAdapter(f"nats://127.0.0.1:{port}"), asyncio.Queue[Any]()
    try:
        while b"Server is ready" not in (line := await asyncio.wait_for(server.stderr.readline(), LIMIT)):
            assert line, "the server has ended"
        await bus.connect()
        await bus.subscribe("migration.step_finished", found.put)
        with container.event_bus.override(bus):
            await boot_here(container, engine)
            event = await asyncio.wait_for(found.get(), LIMIT)
        assert (event.source, event.data["number"]) == ("framework_m_migrations", 1)
    finally:
        await bus.disconnect()
        server.terminate()
        await server.communicate()


@pytest.mark.asyncio
async def test_auto_sync_schema_false_is_honoured(container: object, engine: AsyncEngine, make_app: MakeApp) -> None:
    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    container.config.from_dict({"auto_sync_schema": False})  # type: ignore[attr-defined]
    for _ in range(2):
        assert await boot_here(container, engine) == []
    assert container.config.get("auto_sync_schema") is False  # type: ignore[attr-defined]
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda c: sa.inspect(c).get_table_names()) == []


@pytest.mark.asyncio
async def test_the_loop_goes_on_while_the_schema_is_synced(
    container: object, engine: AsyncEngine, make_app: MakeApp
) -> None:
    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await boot_here(container, engine)
    ticking.cancel()
    assert ticks > 20
