"""sync from the look to the last hook: in which order, and what each choice of the caller reaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from framework_m_migrations.domain.changes import ColumnAdded
from framework_m_migrations.domain.effects import Hook, HookPhase, UseCase
from framework_m_migrations.domain.errors import DropRefused, PlanOutdated
from framework_m_migrations.domain.events import HookStarted, PlanMade, StepStarted
from framework_m_migrations.domain.operations import AddColumn, CreateIndex, Operation
from framework_m_migrations.domain.options import SyncOptions
from framework_m_migrations.domain.plan import Plan
from framework_m_migrations.domain.results import SyncResult
from framework_m_migrations.domain.schema import Column, DocTypeSchema, Index, PrimaryKey, Table, TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.use_cases.sync import sync
from tests.fakes.memory import (
    CAPABILITIES,
    FakeClock,
    ListSink,
    MemoryConnection,
    MemoryDatabase,
    MemoryHooks,
    MemoryRunner,
    MemorySession,
    MemorySource,
    MemoryWorld,
    memory_type,
)
from tests.fakes.memory.lock import MemoryLock
from tests.unit.domain.build import index

INTEGER = memory_type("integer")
ADD_X = AddColumn(TableName("a"), Column("x", INTEGER))


def doctype(name: str, *columns: str, indexes: tuple[Index, ...] = ()) -> DocTypeSchema:
    made = tuple(Column(column, INTEGER, nullable=column != "id") for column in ("id", *columns))
    return DocTypeSchema(name.title(), (Table(TableName(name), made, PrimaryKey(("id",)), indexes),), app="shop")


class Late(MemoryLock):
    """A lock that is had only after something else has happened."""

    def __init__(self, connection: MemoryConnection, meanwhile: Callable[[], object]) -> None:
        super().__init__(connection)
        self._meanwhile = [meanwhile]

    def try_acquire(self) -> bool:
        while self._meanwhile:
            self._meanwhile.pop()()
        return super().try_acquire()


class Site:
    """A memory database that one source after the other is synced with."""

    def __init__(self) -> None:
        self.database = MemoryDatabase(replace(CAPABILITIES, online_index=True))
        self.events = ListSink()
        self.hooks: list[Hook] = []
        self.clock = FakeClock()

    def sync(self, *wanted: DocTypeSchema, **options: object) -> SyncResult:
        chosen = SyncOptions(**options)  # type: ignore[arg-type]
        self.events = ListSink()
        world = MemoryWorld(
            MemorySource(wanted), hooks=MemoryHooks(self.hooks), events=self.events, allow_drop=chosen.allow_drop
        )
        return MemoryRunner(self.database, world).run(lambda session: sync(session, chosen))

    def sync_while(self, meanwhile: Callable[[], object], *wanted: DocTypeSchema) -> SyncResult:
        """Sync, while something else happens between the look and the lock."""
        world = MemoryWorld(MemorySource(wanted), clock=self.clock)

        def work(session: Session) -> UseCase[SyncResult]:
            assert isinstance(session, MemorySession)
            session.lock = Late(session.connection, meanwhile)
            return sync(session, SyncOptions())

        return MemoryRunner(self.database, world).run(work)

    def operations(self) -> list[Operation]:
        return [
            operation
            for event in self.events.events
            if isinstance(event, StepStarted)
            for operation in event.step.operations
        ]


@pytest.mark.parametrize("online", [True, False])
def test_what_a_drop_sets_free_is_done_in_the_form_that_was_asked_for(online: bool) -> None:
    site = Site()
    site.sync(doctype("a", "x", indexes=(index("i", "x"),)), doctype("b", "x"))
    site.database.insert("b", [{"id": 1, "x": 1}])
    wanted = (doctype("a", "x"), doctype("b", "x", indexes=(index("i", "x"),)))
    assert len(site.sync(*wanted).withheld) == 2
    result = site.sync(*wanted, allow_drop=True, online=online)
    assert [type(one.change).__name__ for one in result.removed] == ["IndexRemoved"]
    assert site.operations() == [CreateIndex(TableName("b"), index("i", "x"), online=online)]
    assert site.sync(*wanted, force=True).up_to_date


def test_hooks_stand_round_the_work_and_know_of_it() -> None:
    site = Site()
    order: list[tuple[object, ...]] = []

    def before(app: str) -> None:
        order.append(("before", app, set(site.database.state.tables)))

    def after(app: str, result: SyncResult) -> None:
        order.append(("after", app, result.steps))

    site.hooks = [
        Hook("shop", HookPhase.AFTER_SYNC, after), Hook("shop", HookPhase.BEFORE_SYNC, before),
        Hook("blog", HookPhase.BEFORE_SYNC, before),
    ]  # fmt: skip
    site.sync(doctype("a"))
    assert order == [("before", "shop", set()), ("before", "blog", set()), ("after", "shop", 1)]
    told = [event for event in site.events.events if isinstance(event, HookStarted | PlanMade)]
    assert [type(event).__name__ for event in told] == ["HookStarted", "HookStarted", "PlanMade", "HookStarted"]
    assert [(one.app, one.phase) for one in told if isinstance(one, HookStarted)] == [
        ("shop", "before_sync"), ("blog", "before_sync"), ("shop", "after_sync"),
    ]  # fmt: skip
    order.clear()
    assert site.sync(doctype("a")).up_to_date
    assert order == [], "nothing is to be done"
    site.sync(doctype("a"), force=True)
    assert [one for one, *_ in order] == ["before", "before", "after"]


def test_a_dry_run_says_all_of_it_and_does_none() -> None:
    site = Site()
    site.hooks = [Hook("shop", HookPhase.BEFORE_SYNC, lambda: pytest.fail("it was called"))]
    result = site.sync(doctype("a"), dry_run=True)
    assert (result.applied, result.up_to_date, result.steps) == (False, False, 0)
    assert len(result.plan.plan.steps) == 1
    assert site.database.state.tables == {}
    site.hooks = []
    site.sync(doctype("a"))
    assert site.sync(doctype("a"), dry_run=True).up_to_date


def test_only_what_was_listed_is_dropped() -> None:
    site = Site()
    site.sync(doctype("a", "x", "y"))
    wanted = doctype("a")
    listed = tuple(one.change for one in site.sync(wanted).withheld)
    assert len(listed) == 2
    with pytest.raises(PlanOutdated, match="not what was listed") as caught:
        site.sync(wanted, allow_drop=True, reviewed=listed[:1])
    [unlisted] = caught.value.details["unlisted"]
    assert unlisted.startswith("a: ")
    assert [column.name for column in site.database.state.tables[TableName("a")].columns] == ["id", "x", "y"]
    result = site.sync(wanted, allow_drop=True, reviewed=listed)
    assert len(result.dropped) == 2
    assert {one.change for one in result.removed} == set(listed)


def test_a_source_that_declares_nothing_drops_nothing() -> None:
    site = Site()
    site.sync(replace(doctype("a"), app=None))
    with pytest.raises(DropRefused, match="No model is declared") as caught:
        site.sync(allow_drop=True)
    assert "--apps" in caught.value.next_step
    assert TableName("a") in site.database.state.tables


def test_what_changed_between_the_look_and_the_lock_is_planned_anew() -> None:
    site = Site()
    site.sync(doctype("a"))
    # Somebody adds the very column by hand, after the plan was made and before the lock is had.
    result = site.sync_while(lambda: site.database.apply(ADD_X), doctype("a", "x", "y"))
    assert [column.name for column in site.database.state.tables[TableName("a")].columns] == ["id", "x", "y"]
    assert [one.change for one in result.plan.plan.applied] == [ColumnAdded(TableName("a"), Column("y", INTEGER))]
    assert site.sync(doctype("a", "x", "y"), force=True).up_to_date


def test_work_that_somebody_did_meanwhile_is_not_done_again() -> None:
    site = Site()
    site.sync(doctype("a"))
    result = site.sync_while(lambda: site.sync(doctype("a", "x")), doctype("a", "x"))
    assert (result.applied, result.up_to_date, result.steps) == (True, True, 0)
    assert result.plan.plan.steps == ()


def test_what_was_made_of_a_plan_is_told_with_the_time_it_took() -> None:
    site = Site()
    site.sync(doctype("a", "gone"))
    result = site.sync_while(lambda: site.clock.advance(3.0), doctype("a", "x"))
    assert result.seconds == 3.0
    shown = {type(one.planned.change).__name__: bool(one.sql) for one in result.plan.changes}
    assert shown == {"ColumnAdded": False, "ColumnRemoved": True}, "events report what was sent, SQL what is withheld"
    assert (result.dropped, result.removed, result.after) == ((), (), None)


def test_hooks_are_told_the_schema_and_the_plan() -> None:
    site, told = Site(), list[tuple[object, ...]]()

    def note(schema: str, plan: Plan) -> None:
        told.append((schema, len(plan.applied)))

    site.hooks = [Hook("shop", phase, note) for phase in (HookPhase.BEFORE_SYNC, HookPhase.AFTER_SYNC)]
    site.sync(doctype("a"), schema="tenant")
    assert told == [("tenant", 1), ("tenant", 1)]


def test_what_a_hook_did_is_not_done_again() -> None:
    site = Site()
    site.sync(doctype("a"))
    site.hooks = [Hook("shop", HookPhase.BEFORE_SYNC, lambda: site.database.apply(ADD_X))]
    site.sync(doctype("a", "x", "y"))
    [made] = [event.plan for event in site.events.events if isinstance(event, PlanMade)]
    assert [one.change for one in made.applied] == [ColumnAdded(TableName("a"), Column("y", INTEGER))]
