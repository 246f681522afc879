"""Both runners on real SQLite files, driven through the same use cases."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from framework_m_migrations.adapters.sql.async_runner import AsyncSqlRunner
from framework_m_migrations.adapters.sql.runner import SyncSqlRunner
from framework_m_migrations.domain.effects import CallHook, Hook, HookPhase, Pause, UseCase
from framework_m_migrations.domain.errors import ConnectionFailed, HookFailed, LockTimeout
from framework_m_migrations.domain.plan import Plan
from framework_m_migrations.ports.session import Session
from scripts.waiting import LIMIT


@dataclass
class Bundle:
    """As much of a session as these use cases need."""

    connection: sa.Connection

    def close(self) -> None:
        """Hold nothing."""


def bundle(connection: sa.Connection) -> Session:
    return cast("Session", Bundle(connection))


def connection_of(session: Session) -> sa.Connection:
    return cast("Bundle", session).connection


type Run = Callable[..., Any]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest, url: str) -> Run:
    """Runs a use case on a new engine for the file, by each runner."""

    async def pause(_: float) -> None:
        await asyncio.sleep(0)

    def run(use_case: Callable[[Session], UseCase[Any]]) -> Any:
        if request.param == "sync":
            return SyncSqlRunner(lambda: sa.create_engine(url), bundle, sleep=lambda _: None).run(use_case)
        async_url = url.replace("sqlite:", "sqlite+aiosqlite:")
        return asyncio.run(AsyncSqlRunner(lambda: create_async_engine(async_url), bundle, sleep=pause).run(use_case))

    return run


def hook(function: Callable[..., object]) -> CallHook:
    return CallHook(Hook("crm", HookPhase.AFTER_SYNC, function), Plan())


def ddl(session: Session, sql: str) -> None:
    connection_of(session).exec_driver_sql(sql)
    connection_of(session).commit()


def test_a_use_case_returns_its_value_across_pauses(run: Run) -> None:
    def use_case(session: Session) -> UseCase[list[int]]:
        found = []
        for number in range(3):
            found.append(connection_of(session).exec_driver_sql(f"select {number}").scalar_one())
            yield Pause(0.01)
        return found

    assert run(use_case) == [0, 1, 2]


def test_a_use_case_without_effects_works(run: Run) -> None:
    def use_case(_: Session) -> UseCase[str]:
        yield from ()
        return "done"

    assert run(use_case) == "done"


def test_plain_hooks_get_a_synchronous_engine_and_connection(run: Run) -> None:
    seen: dict[str, Any] = {}

    def after_sync(engine: Any, connection: Any, plan: Any, result: Any, app: Any) -> None:
        seen.update(locals())
        with engine.connect() as second:
            seen["answer"] = second.exec_driver_sql("select 42").scalar_one()

    def use_case(_: Session) -> UseCase[None]:
        yield hook(after_sync)

    run(use_case)
    assert isinstance(seen["engine"], sa.Engine)
    assert isinstance(seen["connection"], sa.Connection)
    assert (seen["plan"], seen["result"], seen["app"], seen["answer"]) == (Plan(), None, "crm", 42)


def test_async_hooks_run_to_their_end(run: Run) -> None:
    seen: list[object] = []

    async def after_sync(engine: Any, **rest: Any) -> None:
        await asyncio.sleep(0)
        seen.extend((engine, rest["connection"]))

    def use_case(_: Session) -> UseCase[str]:
        yield hook(after_sync)
        return "after"

    assert run(use_case) == "after"
    assert {type(item) for item in seen} in ({sa.Engine, sa.Connection}, {AsyncEngine, AsyncConnection})


def test_a_plain_function_may_answer_an_awaitable(run: Run) -> None:
    seen: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0)
        seen.append("awaited")

    def plain() -> object:
        return later()

    def use_case(_: Session) -> UseCase[None]:
        yield hook(plain)

    run(use_case)
    assert seen == ["awaited"]


def test_what_a_hook_writes_on_the_shared_connection_is_committed(run: Run, url: str) -> None:
    def after_sync(connection: sa.Connection) -> None:
        connection.exec_driver_sql("insert into t values (1)")

    def use_case(session: Session) -> UseCase[bool]:
        ddl(session, "create table t (a)")
        yield hook(after_sync)
        return connection_of(session).in_transaction()

    assert run(use_case) is False
    assert rows(url) == [(1,)]


def test_what_a_failing_hook_wrote_is_rolled_back_and_the_use_case_learns_of_it(run: Run, url: str) -> None:
    def after_sync(connection: sa.Connection) -> None:
        connection.exec_driver_sql("insert into t values (1)")
        raise ValueError("no luck")

    released: list[object] = []

    def use_case(session: Session) -> UseCase[None]:
        ddl(session, "create table t (a)")
        try:
            yield hook(after_sync)
        except HookFailed as error:
            released.append(error)
            raise
        finally:
            released.append(connection_of(session).exec_driver_sql("select 1").scalar_one())

    with pytest.raises(HookFailed, match="after_sync of app crm raised ValueError: no luck") as caught:
        run(use_case)
    assert isinstance(caught.value.__cause__, ValueError)
    assert released == [caught.value, 1]
    assert rows(url) == []


def test_a_use_case_may_go_on_after_a_failed_hook(run: Run) -> None:
    def bad() -> None:
        raise RuntimeError

    def use_case(_: Session) -> UseCase[str]:
        try:
            yield hook(bad)
        except HookFailed:
            yield Pause(0)
        return "survived"

    assert run(use_case) == "survived"


def test_errors_of_the_use_case_pass_as_they_are(run: Run) -> None:
    def use_case(_: Session) -> UseCase[None]:
        yield Pause(0)
        raise LockTimeout("busy.")

    with pytest.raises(LockTimeout):
        run(use_case)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_hook_runs_the_finally_blocks_on_the_open_connection(
    run: Run, stop: type[BaseException]
) -> None:
    released: list[int] = []

    def interrupted() -> None:
        raise stop

    def use_case(session: Session) -> UseCase[None]:
        try:
            yield hook(interrupted)
        finally:
            released.append(connection_of(session).exec_driver_sql("select 7").scalar_one())

    with pytest.raises(stop):
        run(use_case)
    assert released == [7]


def rows(url: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql("select * from t")]
    engine.dispose()
    return found


def test_an_engine_or_connection_of_the_caller_is_left_open(url: str) -> None:
    def use_case(session: Session) -> UseCase[None]:
        ddl(session, "create table if not exists t (a)")
        yield Pause(0)

    engine = sa.create_engine(url)
    disposed: list[object] = []
    sa.event.listen(engine, "engine_disposed", disposed.append)
    SyncSqlRunner(engine, bundle, sleep=lambda _: None).run(use_case)
    with engine.connect() as connection:
        SyncSqlRunner(connection, bundle, sleep=lambda _: None).run(use_case)
        assert not connection.closed
        with connection.begin():
            connection.exec_driver_sql("insert into t values (3)")
    assert disposed == []
    engine.dispose()
    assert rows(url) == [(3,)]


def test_an_engine_that_the_runner_made_is_disposed_of_and_its_connection_closed(url: str) -> None:
    made: list[sa.Engine] = []
    events: list[str] = []

    def factory() -> sa.Engine:
        engine = sa.create_engine(url)
        sa.event.listen(engine, "engine_disposed", lambda _: events.append("disposed"))
        sa.event.listen(engine, "close", lambda *_: events.append("closed"))
        made.append(engine)
        return engine

    def use_case(session: Session) -> UseCase[None]:
        connection_of(session).exec_driver_sql("select 1")
        yield Pause(0)
        raise LockTimeout("busy.")

    with pytest.raises(LockTimeout):
        SyncSqlRunner(factory, bundle, sleep=lambda _: None).run(use_case)
    assert len(made) == 1
    assert set(events) == {"closed", "disposed"}


def test_a_database_that_cannot_be_opened_is_told_without_its_password(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'no' / 'such' / 'app.db'}"

    def use_case(_: Session) -> UseCase[None]:
        yield Pause(0)

    with pytest.raises(ConnectionFailed, match="unable to open database file"):
        SyncSqlRunner(lambda: sa.create_engine(missing), bundle).run(use_case)
    engine = create_async_engine("postgresql+asyncpg://ann:s3cr%40t@127.0.0.1:1/db")
    with pytest.raises(ConnectionFailed) as caught:
        asyncio.run(AsyncSqlRunner(engine, bundle).run(use_case))
    assert "s3cr" not in str(caught.value) + repr(caught.value.to_dict())
    assert "ann:***@127.0.0.1:1/db" in caught.value.what


def test_a_synchronous_caller_inside_an_event_loop_is_told_what_to_do(url: str) -> None:
    async def after_sync() -> None:
        """Never runs."""

    def use_case(_: Session) -> UseCase[None]:
        yield hook(after_sync)

    async def main() -> None:
        SyncSqlRunner(lambda: sa.create_engine(url), bundle).run(use_case)

    with pytest.raises(HookFailed, match="an event loop runs already") as caught:
        asyncio.run(main())
    assert "AsyncMigrationManager" in caught.value.next_step


async def _run_while_ticking(runner: AsyncSqlRunner, use_case: Callable[[Session], UseCase[Any]]) -> int:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticker = asyncio.create_task(tick())
    await runner.run(use_case)
    ticker.cancel()
    return ticks


@pytest.fixture
def async_url(url: str) -> Iterator[str]:
    yield url.replace("sqlite:", "sqlite+aiosqlite:")
    assert not [thread for thread in threading.enumerate() if "aiosqlite" in thread.name.lower()]


def test_the_event_loop_runs_during_statements_and_pauses(async_url: str) -> None:
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n limit 1500000) select max(i) from n"

    def use_case(session: Session) -> UseCase[None]:
        connection_of(session).exec_driver_sql(slow)
        yield Pause(0.05)

    runner = AsyncSqlRunner(lambda: create_async_engine(async_url), bundle)
    assert asyncio.run(_run_while_ticking(runner, use_case)) > 10


def test_a_cancelled_run_releases_what_it_held_even_if_cancelled_again(async_url: str) -> None:
    released: list[object] = []
    begun = asyncio.Event()

    def use_case(session: Session) -> UseCase[None]:
        try:
            begun.set()
            yield Pause(600)
        finally:
            execute = connection_of(session).exec_driver_sql
            released.extend(execute(f"select {number}").scalar_one() for number in range(5))

    async def main() -> None:
        engine = create_async_engine(async_url)
        task = asyncio.create_task(AsyncSqlRunner(engine, bundle).run(use_case))
        async with asyncio.timeout(LIMIT):
            await begun.wait()
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
        assert task.cancelled()
        assert cast("Any", engine.pool).checkedout() == 0
        await engine.dispose()

    asyncio.run(main())
    assert released == [0, 1, 2, 3, 4]


def test_an_async_connection_of_the_caller_is_left_open(async_url: str) -> None:
    def use_case(session: Session) -> UseCase[int]:
        yield Pause(0)
        return cast("int", connection_of(session).exec_driver_sql("select 5").scalar_one())

    async def main() -> None:
        engine = create_async_engine(async_url)
        async with engine.connect() as connection:
            assert await AsyncSqlRunner(connection, bundle).run(use_case) == 5
            assert not connection.closed
        await engine.dispose()

    asyncio.run(main())
