"""How a plan is carried out: what shares a transaction, with which limits, and what the ledger is told in which one."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError, DropRefused, LockTimeout, MigrationLocked
from framework_m_migrations.domain.events import StepFinished, StepRetried, StepStarted
from framework_m_migrations.domain.filling import Fill
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import CATALOG_TOKEN, LedgerForm, OwnedTable
from framework_m_migrations.domain.plan import Judgement, LockLevel, Plan, PlannedChange, Risk, Step, TableLock
from framework_m_migrations.domain.risk.rules import DROP
from framework_m_migrations.domain.schema import Check, Column, TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.hash_cache import GHOSTS
from framework_m_migrations.services.plan_applier import PlanApplier
from tests.fakes.memory import (
    MemoryDatabase,
    memory_type,
)
from tests.unit.domain.build import index
from tests.unit.services.watched import ID, LIMITS, OURS, TABLE, A, T, Watched, finish

U = TableName("u")
CHECK = Check("ck", "a > 0")
LOCK = (TableLock(T, LockLevel.ACCESS_EXCLUSIVE),)
ADD_B = o.AddColumn(T, Column("b", memory_type("integer")))


def made() -> MemoryDatabase:
    database = MemoryDatabase()
    database.create(TABLE)
    return database


def applied(session: Session, *steps: Step, **parts: object) -> int:
    return finish(PlanApplier(session, LIMITS).apply(Plan(steps=steps, **parts)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "limits"),
    [
        (Step((ADD_B,)), Limits(0.25, 7.0)),
        (Step((ADD_B,), locks=LOCK), Limits(0.25, 7.0, brief=True)),
        (Step((ADD_B,), locks=LOCK, scans=True), Limits(0.25, 7.0)),
        (Step((ADD_B,), locks=LOCK, rewrites=True), Limits(0.25, 7.0)),
        (Step((o.AddCheck(T, CHECK, validate=False),), locks=LOCK), Limits(0.25, 7.0, brief=True)),
        (Step((o.ValidateConstraint(T, CHECK),), locks=LOCK, scans=True), Limits(0.25)),
        (Step((o.ValidateNotNull(T, A),), locks=LOCK, scans=True), Limits(0.25)),
    ],
)
def test_a_step_gets_the_limits_that_fit_it(step: Step, limits: object) -> None:
    database = made()
    if isinstance(step.operations[0], o.ValidateConstraint):
        database.apply(o.AddCheck(T, CHECK, validate=False))
    session = Watched(database)
    assert applied(session, step) == 1
    ledger = Limits(0.25)
    assert session.scopes == [ledger, limits, ledger], "the ledger's own entries hold nobody up"


def test_what_cannot_be_in_a_transaction_is_recorded_in_one_after_it() -> None:
    database, owned = made(), OwnedTable(T, "T", "adopted", indexes=frozenset({"i"}))
    session = Watched(database)
    build = o.CreateIndex(T, index("i", "a"), online=True)
    applied(session, Step((build,), transactional=False, owns=(owned,), completes=(("T", "sum"),), locks=LOCK))
    ledger = Limits(0.25)
    assert session.scopes == [ledger, ledger, "autocommit", ledger, ledger], "the log says before that it runs"
    assert database.state.ledger.objects == {T: owned}
    assert database.state.ledger.checksums == {"T": "sum"}
    assert [one.name for one in database.state.tables[T].indexes] == ["i"]


def test_before_the_first_step_the_ledger_learns_what_is_so_already() -> None:
    database = made()
    session = Watched(database)
    fill = Fill(T, "a")
    with session.transaction(Limits(10)):
        session.ledger.prepare()
        session.ledger.store({"gone": "1", "open": "2", "kept": "3"})
        session.ledger.set_state({fill.key: fill.dump(), "other": "x", GHOSTS: "yes"})
    parts = {
        "forgets": ("gone",), "revokes": ("open",), "settled": (("T", "sum"),), "adopts": (OURS,),
        "voids": (fill.key,), "refresh": True,
    }  # fmt: skip
    assert applied(session, **parts) == 0
    ledger = database.state.ledger
    assert ledger.checksums == {"kept": "3", "T": "sum"}
    assert ledger.objects == {T: OURS}
    assert ledger.state == {"other": "x", CATALOG_TOKEN: str(database.state.token)}


def test_a_plan_without_work_writes_nothing() -> None:
    database = made()
    session = Watched(database)
    assert applied(session) == 0
    assert session.scopes == []
    assert database.state.ledger.form is LedgerForm.ABSENT


def test_what_stays_withheld_is_noted_for_the_next_sync() -> None:
    database = made()
    withheld = PlannedChange("T", None, c.ColumnRemoved(T, A, owned=True), Judgement(Risk.BREAKING, "r", "s", DROP))
    applied(Watched(database), changes=(withheld,), refresh=True)
    assert database.state.ledger.state == {CATALOG_TOKEN: str(database.state.token), GHOSTS: "yes"}


def test_a_column_in_stages_is_noted_while_its_rows_wait_and_no_longer() -> None:
    database = made()
    session = Watched(database)
    staged = o.AddColumn(T, Column("b", memory_type("integer")), staged=True)
    key = Fill(T, "b").key
    applied(session, Step((staged,)))
    assert database.state.ledger.state[key] == Fill(T, "b").dump()
    applied(session, Step((o.ValidateNotNull(T, staged.column),)))
    assert key not in database.state.ledger.state


def test_rows_get_their_values_in_transactions_of_their_own() -> None:
    database = made()
    session = Watched(database)
    filled = o.FillColumn(T, A, (ID,), 1000)
    step = Step((filled,), transactional=False, owns=(OURS,), completes=(("T", "sum"),), batch=1000)
    refusals = 1

    def busy(operation: o.Operation) -> None:
        nonlocal refusals
        if isinstance(operation, o.FillColumn) and refusals:
            refusals -= 1
            raise LockTimeout("busy")

    database.before_operation = busy
    assert applied(session, step) == 1
    assert Limits(0.25, 7.0) in session.scopes
    assert "autocommit" not in session.scopes
    assert database.state.ledger.objects == {T: OURS}
    assert database.state.ledger.checksums == {"T": "sum"}
    assert [(one.number, one.attempt) for one in session.sink.events if isinstance(one, StepRetried)] == [(1, 1)]


def test_steps_are_told_by_their_number_and_tried_again_whole() -> None:
    database = made()
    session = Watched(database)
    refusals = 2

    def busy(operation: o.Operation) -> None:
        nonlocal refusals
        if isinstance(operation, o.CreateIndex) and refusals:
            refusals -= 1
            raise LockTimeout("busy")

    database.before_operation = busy
    second = Step((o.CreateIndex(T, index("i", "a")),), owns=(OURS,))
    assert applied(session, Step((ADD_B,)), second) == 2
    told = [(type(one), one.number) for one in session.sink.events if isinstance(one, StepStarted | StepFinished)]
    assert told == [(StepStarted, 1), (StepFinished, 1), (StepStarted, 2), (StepFinished, 2)]
    told_of = [one for one in session.sink.events if isinstance(one, StepStarted | StepFinished)]
    assert {one.total for one in told_of} == {2}
    assert [one.step for one in told_of[2:]] == [second, second]
    retried = [one for one in session.sink.events if isinstance(one, StepRetried)]
    assert [(one.number, one.attempt) for one in retried] == [(2, 1), (2, 2)]
    refusals = 3
    with pytest.raises(LockTimeout):
        applied(session, Step((o.CreateIndex(T, index("j", "a")),), owns=(OwnedTable(T, "T", "x", frozenset({"j"})),)))
    assert database.state.ledger.objects == {T: OURS}, "what failed is not recorded"


def test_a_step_that_fails_ends_the_work_and_those_before_it_stand() -> None:
    database = made()
    session = Watched(database)

    def refuse(operation: o.Operation) -> None:
        if isinstance(operation, o.CreateIndex):
            raise DatabaseError("on purpose")

    database.before_operation = refuse
    steps = (Step((ADD_B,), completes=(("B", "1"),)), Step((o.CreateIndex(T, index("i", "a")),), owns=(OURS,)))
    with pytest.raises(DatabaseError, match="on purpose"):
        applied(session, *steps)
    assert database.state.tables[T].column("b") is not None
    assert database.state.ledger.checksums == {"B": "1"}
    assert CATALOG_TOKEN not in database.state.ledger.state, "the next sync compares"


def test_nothing_is_changed_by_somebody_who_lost_the_lock() -> None:
    database = made()
    session = Watched(database)
    session.lock.release()
    other = Watched(database)
    with pytest.raises(MigrationLocked, match="lost") as caught:
        applied(session, Step((ADD_B,)))
    assert "resumes where it stopped" in caught.value.next_step
    assert database.state.tables[T] == TABLE
    other.lock.release()


def dropping(*changes: c.Change, operations: tuple[o.Operation, ...]) -> list[PlannedChange]:
    return [PlannedChange("T", "shop", one, Judgement(Risk.BREAKING, "r", "s", DROP), operations) for one in changes]


GONE = c.ColumnRemoved(T, A, owned=True)


def owning(database: MemoryDatabase) -> Watched:
    session = Watched(database, allow_drop=True)
    with session.transaction(Limits(10)):
        session.ledger.prepare()
        session.ledger.record([OURS, OwnedTable(U, "U", "created")])
    session.scopes.clear()
    return session


def test_a_drop_is_one_short_transaction_and_the_ledger_forgets_in_it() -> None:
    database = made()
    session = owning(database)
    steps = dropping(GONE, operations=(o.DropColumn(T, "a"), ADD_B))
    [statement] = finish(PlanApplier(session, LIMITS).drop(steps))
    assert "DROP COLUMN" in statement
    assert session.scopes == [Limits(0.25), Limits(0.25, 7.0, brief=True)]
    assert database.state.tables[T].columns == (ID,), "what adds is no drop's business"
    assert database.state.ledger.objects[T].columns == frozenset({"id"})
    session.scopes.clear()
    [statement] = finish(
        PlanApplier(session, LIMITS).drop(dropping(c.TableRemoved(T, owned=True), operations=(o.DropTable(T),)))
    )
    assert "DROP TABLE" in statement
    assert set(database.state.tables) == set()
    assert set(database.state.ledger.objects) == {U}


def test_a_drop_is_refused_whole_where_it_was_not_asked_for_or_is_not_ours() -> None:
    database = made()
    plain = Watched(database)
    drop_a = dropping(GONE, operations=(o.DropColumn(T, "a"),))
    with pytest.raises(DropRefused, match=r"Drops were not asked for\.") as caught:
        finish(PlanApplier(plain, LIMITS).drop(drop_a))
    assert caught.value.next_step == "Run `m-migrate sync --allow-drop`."
    plain.lock.release()
    session = owning(database)
    theirs = dropping(c.ColumnRemoved(U, A, owned=True), operations=(o.DropColumn(U, "a"),))
    with pytest.raises(DropRefused, match=r"^\S* ?u is not recorded as ours; nothing was dropped"):
        finish(PlanApplier(session, LIMITS).drop([*drop_a, *theirs]))
    assert database.state.tables[T] == TABLE
    assert session.scopes == []


def test_a_drop_that_waits_says_which_one() -> None:
    database = made()
    session = owning(database)
    busy = True

    def refuse(_: o.Operation) -> None:
        nonlocal busy
        if busy:
            busy = False
            raise LockTimeout("busy")

    database.before_operation = refuse
    finish(PlanApplier(session, LIMITS).drop(dropping(GONE, operations=(o.DropColumn(T, "a"),))))
    assert [(one.number, one.attempt) for one in session.sink.events if isinstance(one, StepRetried)] == [(1, 1)]
