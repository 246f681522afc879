"""The use cases over memory: both tracks end to end, with failures that a real database cannot be told to have."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import PurePath

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.effects import Hook, HookPhase, Pause, UseCase
from framework_m_migrations.domain.errors import DatabaseError, HookFailed, LockTimeout, MigrationLocked
from framework_m_migrations.domain.events import StepRetried, WaitingForLock
from framework_m_migrations.domain.options import LockOptions, SyncOptions
from framework_m_migrations.domain.results import SyncResult
from framework_m_migrations.domain.revisions import Revision
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    DocTypeSchema,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.use_cases.run import run as run_revisions
from framework_m_migrations.services.use_cases.sync import plan, sync
from tests.fakes.memory import (
    CAPABILITIES,
    AsyncMemoryRunner,
    FakeClock,
    ListSink,
    MemoryConnection,
    MemoryDatabase,
    MemoryHooks,
    MemoryRevision,
    MemoryRevisions,
    MemoryRunner,
    MemorySession,
    MemorySource,
    MemoryWorld,
    memory_type,
)

FEW = Capabilities("memory", forward_references=True, alter_constraints=False, alter_column=False)
NO_TRANSACTIONS = replace(CAPABILITIES, transactional_ddl=False, step_weight=1)


def doctype(name: str, *columns: str, **parts: object) -> DocTypeSchema:
    made = Table(
        TableName(f"tab_{name.lower()}"),
        (
            Column("id", memory_type("integer"), nullable=False),
            *(Column(column, memory_type("string(50)")) for column in columns),
        ),
        PrimaryKey(("id",)),
        **parts,  # type: ignore[arg-type]
    )
    return DocTypeSchema(name, (made,))


TASK = doctype(
    "Task",
    "title",
    indexes=(Index("ix_title", (IndexKey("title"),)),),
    uniques=(Unique("uq_title", ("title",)),),
    checks=(Check("ck_id", "id > 0"),),
    foreign_keys=(ForeignKey("fk_note", ("id",), TableName("tab_note"), ("id",)),),
)
NOTE = doctype("Note", "body", foreign_keys=(ForeignKey("fk_task", ("id",), TableName("tab_task"), ("id",)),))
USER = doctype("User", "email")


def synced(database: MemoryDatabase, *doctypes: DocTypeSchema, allow_drop: bool = False) -> SyncResult:
    world = MemoryWorld(MemorySource(doctypes), allow_drop=allow_drop)
    return MemoryRunner(database, world).run(lambda session: sync(session, SyncOptions(allow_drop=allow_drop)))


def planned(database: MemoryDatabase, *doctypes: DocTypeSchema) -> bool:
    world = MemoryWorld(MemorySource(doctypes))
    return MemoryRunner(database, world).run(lambda session: plan(session, SyncOptions(force=True))).plan.is_empty


@pytest.mark.parametrize("capabilities", [CAPABILITIES, FEW, NO_TRANSACTIONS], ids=["all", "few", "no transactions"])
def test_a_first_sync_makes_everything_and_a_second_finds_nothing(capabilities: Capabilities) -> None:
    database = MemoryDatabase(capabilities)
    assert synced(database, TASK, NOTE, USER).applied
    assert planned(database, TASK, NOTE, USER)
    assert synced(database, TASK, NOTE, USER).up_to_date
    assert database.state.tables[TableName("tab_task")].foreign_keys == TASK.tables[0].foreign_keys


def test_what_rows_forbid_is_withheld_and_stays_reported() -> None:
    database = MemoryDatabase()
    synced(database, USER)
    database.insert("tab_user", [{"id": 1, "email": "x"}, {"id": 2, "email": "x"}])
    stricter = doctype("User", "email", uniques=(Unique("uq_email", ("email",)),))
    for _ in range(2):
        assert len(synced(database, stricter).withheld) == 1
        assert "User" not in database.state.ledger.checksums
    assert len(database.rows("tab_user")) == 2


@pytest.mark.parametrize("fatal", range(1, 5))
@pytest.mark.parametrize("capabilities", [CAPABILITIES, NO_TRANSACTIONS], ids=["all", "no transactions"])
def test_a_sync_that_fails_at_any_operation_is_resumed(capabilities: Capabilities, fatal: int) -> None:
    database = MemoryDatabase(replace(capabilities, step_weight=1))
    left = fatal

    def fail(_: o.Operation) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise DatabaseError("on purpose")

    database.before_operation = fail
    with pytest.raises(DatabaseError, match="on purpose"):
        synced(database, TASK, NOTE, USER)
    assert database.lock_owner is None
    for name, table in (("Task", "tab_task"), ("Note", "tab_note"), ("User", "tab_user")):
        if name in database.state.ledger.checksums:
            assert TableName(table) in database.state.tables
    assert not planned(database, TASK, NOTE, USER)
    synced(database, TASK, NOTE, USER)
    assert planned(database, TASK, NOTE, USER)
    assert set(database.state.ledger.checksums) == {"Task", "Note", "User"}


def test_drops_happen_only_on_request_and_only_to_what_is_ours() -> None:
    database = MemoryDatabase()
    database.create(Table(TableName("external"), (Column("id", memory_type("integer")),)))
    synced(database, USER, NOTE, TASK)
    synced(database, USER)
    assert TableName("tab_note") in database.state.tables
    synced(database, USER, allow_drop=True)
    assert set(database.state.tables) == {TableName("tab_user"), TableName("external")}


def test_a_step_waits_for_a_busy_table_on_the_fake_clock() -> None:
    database, events, clock = MemoryDatabase(), ListSink(), FakeClock()
    refusals = 3

    def busy(_: o.Operation) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise LockTimeout("busy")

    database.before_operation = busy
    runner = MemoryRunner(database, MemoryWorld(MemorySource([USER]), events=events, clock=clock))
    assert runner.run(lambda session: sync(session, SyncOptions())).steps == 1
    assert len(runner.pauses) == len([event for event in events.events if isinstance(event, StepRetried)]) == 3
    assert clock.monotonic() == pytest.approx(sum(runner.pauses))


def test_a_waiting_migrator_finds_the_work_done_and_ends_well() -> None:
    database, events = MemoryDatabase(), ListSink()
    other = MemorySession(database.connect(), MemoryWorld(MemorySource([USER])))
    assert other.lock.try_acquire()

    def finish(_: float) -> None:
        if other.lock.holder() is not None:
            other.lock.release()
            synced(database, USER)

    world = MemoryWorld(MemorySource([USER]), events=events)
    runner = MemoryRunner(database, world, while_pausing=finish)
    assert runner.run(lambda session: sync(session, SyncOptions())).steps == 0
    assert [type(event) for event in events.events] == [WaitingForLock]
    assert planned(database, USER)


def test_a_migrator_gives_up_after_its_time() -> None:
    database = MemoryDatabase()
    other = MemorySession(database.connect())
    assert other.lock.try_acquire()
    runner = MemoryRunner(database, MemoryWorld(MemorySource([USER])))
    with pytest.raises(MigrationLocked):
        runner.run(lambda session: sync(session, SyncOptions(locks=LockOptions(wait=5.0))))
    assert sum(runner.pauses) >= 5.0
    assert other.lock.holder() is not None
    assert TableName("tab_user") not in database.state.tables


def test_hooks_run_round_the_sync_and_a_failing_one_stops_it() -> None:
    database = MemoryDatabase()
    seen: list[str] = []

    async def before_sync(app: str, connection: MemoryConnection) -> None:
        connection.apply(o.CreateTable(Table(TableName("made"), (Column("id", memory_type("integer")),)), ()))
        seen.append(f"before {app}")

    def after_sync(result: SyncResult) -> None:
        seen.append(f"after {result.steps}")

    def fails(connection: MemoryConnection) -> None:
        connection.apply(o.DropTable(TableName("made")))
        raise ValueError("on purpose")

    hooks = [Hook("shop", HookPhase.BEFORE_SYNC, before_sync), Hook("shop", HookPhase.AFTER_SYNC, after_sync)]
    world = MemoryWorld(MemorySource([USER]), hooks=MemoryHooks(hooks))
    MemoryRunner(database, world).run(lambda session: sync(session, SyncOptions()))
    assert seen == ["before shop", "after 1"]
    stopped = MemoryHooks([Hook("shop", HookPhase.BEFORE_SYNC, fails)])
    world = MemoryWorld(MemorySource([USER, doctype("Late")]), hooks=stopped)
    with pytest.raises(HookFailed, match="on purpose"):
        MemoryRunner(database, world).run(lambda session: sync(session, SyncOptions()))
    assert set(database.state.tables) == {TableName("made"), TableName("tab_user")}
    assert database.lock_owner is None


def test_revisions_of_several_apps_run_in_order() -> None:
    database = MemoryDatabase()
    order: list[str] = []

    def revision(name: str, app: str, down: tuple[str, ...] = (), depends_on: tuple[str, ...] = ()) -> MemoryRevision:
        made = Revision(name, app, down, depends_on, () if down else (app,))
        return MemoryRevision(made, lambda _: order.append(name))

    revisions = [revision("b1", "beta", depends_on=("a2",)), revision("a2", "alpha", ("a1",)), revision("a1", "alpha")]
    apps = tuple(App(name, name, PurePath(name)) for name in ("alpha", "beta"))
    world = MemoryWorld(revisions=MemoryRevisions(revisions), apps=apps)
    result = MemoryRunner(database, world).run(lambda session: run_revisions(session, LockOptions()))
    assert order == list(result.revisions) == ["a1", "a2", "b1"]
    assert MemoryRunner(database, world).run(lambda session: run_revisions(session, LockOptions())).revisions == ()


def test_an_async_hook_that_really_waits_needs_the_async_runner() -> None:
    async def waits() -> None:
        await asyncio.sleep(0)

    world = MemoryWorld(MemorySource([USER]), hooks=MemoryHooks([Hook("shop", HookPhase.BEFORE_SYNC, waits)]))
    with pytest.raises(HookFailed, match="event loop"):
        MemoryRunner(MemoryDatabase(), world).run(lambda session: sync(session, SyncOptions()))
    database = MemoryDatabase()
    asyncio.run(AsyncMemoryRunner(database, world).run(lambda session: sync(session, SyncOptions())))
    assert TableName("tab_user") in database.state.tables


def test_an_abandoned_use_case_is_ended_with_its_connection_open() -> None:
    database = MemoryDatabase()
    seen: list[bool] = []

    def use_case(session: Session) -> UseCase[None]:
        try:
            assert session.lock.try_acquire()
            yield Pause(1)
        finally:
            seen.append(session.lock.holder() is not None)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MemoryRunner(database, while_pausing=interrupt).run(use_case)
    assert seen == [True]
    assert database.lock_owner is None
