"""How a column's rows get their values: in batches that each tell the ledger how far they came."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.effects import Pause
from framework_m_migrations.domain.errors import DatabaseError, LockTimeout, MigrationLocked
from framework_m_migrations.domain.events import BackfillMoved, StepRetried
from framework_m_migrations.domain.filling import PAUSE, Batch, Fill
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import Step
from framework_m_migrations.domain.risk.facts import Size
from framework_m_migrations.domain.schema import Column, TableName
from framework_m_migrations.services.filler import Filler
from framework_m_migrations.services.logbook import LogLine
from tests.fakes.memory import MemoryConnection, MemoryDatabase
from tests.fakes.memory.executor import MemoryExecutor
from tests.fakes.memory.inspector import MemoryInspector
from tests.unit.services.watched import ID, LIMITS, OURS, TABLE, A, T, Watched, finish

MUST = replace(A, nullable=False)
STEP = Step((), transactional=False, owns=(OURS,), completes=(("T", "sum"),))
WAITING = Fill(T, "a")


class Counted(MemoryInspector):
    """Knows how many rows there are, or does not."""

    def __init__(self, connection: MemoryConnection, rows: int | None) -> None:
        super().__init__(connection)
        self._rows = rows

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        return {name: Size(self._rows, None) for name in tables}


class Scripted(MemoryExecutor):
    """Tells of batches as they are given, and notes after which row each was asked for; a failure is raised."""

    def __init__(self, session: Watched, *batches: Batch | Exception) -> None:
        super().__init__(session.connection)
        self.batches = list(batches)
        self.asked: list[str | None] = []
        session.executor = self

    def fill(self, operation: o.FillColumn, after: str | None) -> Batch:
        assert operation.table == T
        self.asked.append(after)
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch


def opened(database: MemoryDatabase, fill: Fill | None = WAITING) -> Watched:
    """A session on a database with a table of 25 rows, whose ledger says that a column waits for values."""
    if T not in database.state.tables:
        database.create(TABLE)
        database.insert("t", [{"id": number, "a": None} for number in range(25)])
    session = Watched(database)
    with session.transaction(Limits(10)):
        session.ledger.prepare()
        if fill is not None:
            session.ledger.set_state({fill.key: fill.dump()})
    session.scopes.clear()
    return session


def line(session: Watched) -> LogLine:
    return LogLine(session, LIMITS.limits, "sync", "fill t.a")


def work(session: Watched, column: Column = A, *, late: bool = False) -> None:
    operation = o.FillColumn(T, column, (ID,), 10, late)
    retried = lambda tried, pause, why: StepRetried(7, tried, pause, why)  # noqa: E731
    finish(Filler(session, LIMITS).fill(STEP, operation, retried, line(session)))


def noted(database: MemoryDatabase) -> str | None:
    return database.state.ledger.state.get(WAITING.key)


def moves(session: Watched) -> list[tuple[object, ...]]:
    return [(e.table, e.done, e.changed, e.left) for e in session.sink.events if isinstance(e, BackfillMoved)]


def test_batches_go_on_after_the_last_row_until_one_is_short() -> None:
    database = MemoryDatabase()
    session = opened(database)
    executor = Scripted(session, Batch(10, 4, "9"), Batch(10, 0, "19"), Batch(5, 5, "24"))
    work(session)
    assert executor.asked == [None, "9", "19"]
    assert session.scopes == [Limits(0.25, 7.0)] * 3
    assert moves(session) == [("t", 10, 4, 15), ("t", 20, 4, 5), ("t", 25, 9, 0)]
    assert noted(database) is None, "nothing is left to do for a column that may be NULL"
    assert database.state.ledger.objects == {T: OURS}
    assert database.state.ledger.checksums == {"T": "sum"}


def test_a_full_batch_is_never_the_last_one() -> None:
    session = opened(MemoryDatabase())
    executor = Scripted(session, Batch(10, 10, "9"), Batch(0, 0, None))
    work(session)
    assert executor.asked == [None, "9"]
    assert moves(session)[-1] == ("t", 10, 10, 0)


def test_what_must_not_be_null_is_noted_as_written() -> None:
    database = MemoryDatabase()
    session = opened(database)
    Scripted(session, Batch(10, 10, "9"), Batch(1, 1, "10"))
    work(session, MUST)
    assert noted(database) == Fill(T, "a", None, 11, 11, written=True, by=("id",)).dump()


def test_an_interrupted_fill_goes_on_where_its_last_batch_ended() -> None:
    database = MemoryDatabase()
    session = opened(database)
    Scripted(session, Batch(10, 3, "9"), DatabaseError("on purpose"))
    with pytest.raises(DatabaseError):
        work(session)
    assert noted(database) == Fill(T, "a", "9", 10, 3, by=("id",)).dump()
    assert database.state.ledger.objects == {}, "it is recorded with its last batch"
    assert database.state.ledger.checksums == {}
    session.close()
    session = opened(database, None)
    executor = Scripted(session, Batch(2, 1, "11"))
    work(session)
    assert executor.asked == ["9"]
    assert moves(session) == [("t", 12, 4, 0)]


def test_a_cursor_along_another_key_means_nothing() -> None:
    session = opened(MemoryDatabase(), Fill(T, "a", "9", 10, 3, by=("other",)))
    executor = Scripted(session, Batch(2, 1, "1"))
    work(session)
    assert executor.asked == [None]


def test_the_late_pass_begins_anew_under_no_limit_and_leaves_the_note() -> None:
    database = MemoryDatabase()
    written = Fill(T, "a", "9", 25, 25, written=True, by=("id",))
    session = opened(database, written)
    executor = Scripted(session, Batch(10, 2, "8"), Batch(0, 0, None))
    work(session, MUST, late=True)
    assert executor.asked == [None, "8"]
    assert session.scopes == [Limits(0.25)] * 2
    assert noted(database) == written.dump(), "that goes when NOT NULL holds"
    assert [left for *_, left in moves(session)] == [None, 0]
    assert database.state.ledger.objects == {T: OURS}


def test_what_others_keep_locked_is_tried_again_from_the_same_row() -> None:
    session = opened(MemoryDatabase())
    executor = Scripted(session, Batch(10, 1, "9"), LockTimeout("busy"), Batch(1, 1, "10"))
    work(session)
    assert executor.asked == [None, "9", "9"]
    assert [(e.number, e.attempt, e.reason) for e in session.sink.events if isinstance(e, StepRetried)] == [
        (7, 1, "busy")
    ]


def test_between_two_batches_others_have_the_disk() -> None:
    session = opened(MemoryDatabase())
    Scripted(session, Batch(10, 1, "9"), Batch(10, 1, "19"), Batch(1, 1, "20"))
    operation = o.FillColumn(T, A, (ID,), 10)
    pauses = list(Filler(session, LIMITS).fill(STEP, operation, lambda *told: StepRetried(1, *told), line(session)))
    assert pauses == [Pause(PAUSE)] * 2


def test_whoever_lost_the_lock_writes_no_further_batch() -> None:
    database = MemoryDatabase()
    session = opened(database)
    executor = Scripted(session, Batch(10, 1, "9"), Batch(1, 1, "10"))
    use_case = Filler(session, LIMITS).fill(
        STEP, o.FillColumn(T, A, (ID,), 10), lambda *told: StepRetried(1, *told), line(session)
    )
    next(use_case)
    session.lock.release()
    other = Watched(database)
    with pytest.raises(MigrationLocked):
        next(use_case)
    assert executor.asked == [None]
    assert noted(database) == Fill(T, "a", "9", 10, 1, by=("id",)).dump()
    other.close()


@pytest.mark.parametrize(("rows", "left"), [(None, None), (12, 2), (10, 0), (3, 0)])
def test_what_is_left_is_what_the_database_has_an_account_of(rows: int | None, left: int | None) -> None:
    session = opened(MemoryDatabase())
    session.inspector = Counted(session.connection, rows)
    Scripted(session, Batch(10, 1, "9"), Batch(1, 1, "10"))
    work(session)
    assert [one for *_, one in moves(session)] == [left, 0]
