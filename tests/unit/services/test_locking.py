"""Waiting for the migration lock and for the locks of tables: how long, how often, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from framework_m_migrations.domain.effects import DRAIN, UseCase, pauses
from framework_m_migrations.domain.errors import LockTimeout, MigrationLocked
from framework_m_migrations.domain.events import StepRetried, WaitingForLock
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.waiting import acquire, retrying, still_held
from tests.fakes.memory import (
    FakeClock,
    ListSink,
    MemoryDatabase,
    MemoryRunner,
    MemorySession,
    MemoryWorld,
)
from tests.fakes.memory.lock import MemoryLock


class Waiting:
    """A migrator that waits for another's lock, on a clock that goes on with each pause."""

    def __init__(self, *jitters: float, free_after: int | None = None) -> None:
        self.database, self.sink = MemoryDatabase(), ListSink()
        world = MemoryWorld(events=self.sink, clock=FakeClock(jitters=jitters or (0.0,)))
        self.other, self.session = (MemorySession(self.database.connect(), world) for _ in range(2))
        self.runner = MemoryRunner(self.database, world, while_pausing=self._paused)
        self._free_after = free_after

    def _paused(self, _: float) -> None:
        if len(self.waits) == self._free_after:
            self.other.lock.release()

    @property
    def waits(self) -> list[float]:
        return self.runner.pauses

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        return self.runner.run(use_case)


def test_a_free_lock_is_taken_at_once_and_nothing_is_told() -> None:
    case = Waiting()
    assert case.run(lambda session: acquire(session, LockOptions())) is False
    assert (case.waits, case.sink.events) == ([], [])


def test_it_is_told_once_that_somebody_else_has_it() -> None:
    case = Waiting(0.0, 0.5, free_after=3)
    case.other.lock.try_acquire()
    assert case.run(lambda session: acquire(session, LockOptions(poll=2.0))) is True
    assert case.waits == [1.0, 2.0, 1.0], "half to one and a half of the poll"
    assert case.sink.events == [WaitingForLock(case.other.connection.name)]


@pytest.mark.parametrize(("wait", "polls"), [(0.0, 0), (3.0, 3), (3.5, 4)])
def test_it_gives_up_when_the_time_is_over(wait: float, polls: int) -> None:
    case = Waiting(0.5)
    case.other.lock.try_acquire()
    with pytest.raises(MigrationLocked) as caught:
        case.run(lambda session: acquire(session, LockOptions(wait=wait, poll=1.0)))
    assert len(case.waits) == polls
    holder = case.other.connection.name
    assert caught.value.what == f"Another migrator works on this database: {holder}."
    assert caught.value.details == {"holder": holder}


def test_a_holder_that_nobody_knows_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Waiting()
    case.other.lock.try_acquire()
    monkeypatch.setattr(MemoryLock, "holder", lambda _: None)
    with pytest.raises(MigrationLocked, match="this database: it does not say who"):
        case.run(lambda session: acquire(session, LockOptions(wait=0.0)))


def test_a_lost_lock_is_told_and_a_held_one_is_not() -> None:
    case = Waiting()
    still_held(case.session)
    case.session.lock.release()
    case.other.lock.try_acquire()
    with pytest.raises(
        MigrationLocked, match=r"The migration lock was lost: another migrator may have taken over\."
    ) as e:
        still_held(case.session)
    assert e.value.next_step == "Run the same command again: it resumes where it stopped."


def again(attempt: Callable[[], str], number: int) -> Callable[[Session], UseCase[str]]:
    return lambda session: retrying(session, OPTIONS, attempt, partial(StepRetried, number))


def failing(times: int, **details: object) -> tuple[list[int], Callable[[], str]]:
    calls: list[int] = []

    def attempt() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise LockTimeout("busy", details=details)
        return "done"

    return calls, attempt


OPTIONS = LockOptions(lock_timeout=0.5, retries=3, backoff_first=2.0, backoff_limit=60.0)


def test_what_waits_for_a_lock_is_tried_again_with_growing_pauses() -> None:
    case = Waiting(0.5)
    calls, attempt = failing(3)
    assert case.run(again(attempt, 4)) == "done"
    assert len(calls) == 4
    assert case.waits == [2.0, 3.0, 4.5]
    reasons = ("busy", "busy Waiting for 2 s.", "busy Waiting for 5 s.")
    expected = [StepRetried(4, *one) for one in zip((1, 2, 3), case.waits, reasons, strict=True)]
    assert case.sink.events == expected, "from two seconds on it is said how long it has been"


def test_the_last_failure_is_raised_when_the_tries_are_used_up() -> None:
    case = Waiting()
    calls, attempt = failing(4)
    with pytest.raises(LockTimeout):
        case.run(again(attempt, 1))
    assert (len(calls), len(case.sink.events)) == (4, 3), "the last one is followed by no other"


@pytest.mark.parametrize(("rolled_back", "tries"), [(True, 2), (False, 1), (None, 1)])
def test_what_has_left_a_part_behind_is_not_tried_again(rolled_back: bool | None, tries: int) -> None:
    case = Waiting()
    calls, attempt = failing(1, rolled_back=rolled_back)
    if tries == 1:
        with pytest.raises(LockTimeout):
            case.run(again(attempt, 1))
        assert case.sink.events == []
    else:
        assert case.run(again(attempt, 1)) == "done"
    assert len(calls) == tries


def test_pauses_grow_by_half_up_to_the_limit_and_spread() -> None:
    options = LockOptions(lock_timeout=0.0, retries=5, backoff_first=4.0, backoff_limit=10.0)
    assert list(pauses(options, lambda: 0.5)) == [4.0, 6.0, 9.0, 10.0, 10.0]
    assert list(pauses(options, lambda: 0.0)) == [2.0, 3.0, 4.5, 5.0, 5.0]
    assert list(pauses(options, lambda: 1.0)) == [6.0, 9.0, 13.5, 15.0, 15.0]


def test_no_pause_is_shorter_than_what_queued_up_needs() -> None:
    options = LockOptions(lock_timeout=3.0, retries=2, backoff_first=0.1)
    assert list(pauses(options, lambda: 0.0)) == [DRAIN * 3.0] * 2
    assert list(pauses(options, lambda: 1.0)) == [DRAIN * 3.0 * 1.5] * 2


@pytest.mark.parametrize("drawn", [0.0, 0.999])
def test_no_pause_is_shorter_than_what_piled_up_needs(drawn: float) -> None:
    options = LockOptions(lock_timeout=0.5, retries=30)
    waits = list(pauses(options, lambda: drawn))
    assert len(waits) == 30
    assert min(waits) >= DRAIN * options.lock_timeout
    assert waits == sorted(waits)
    assert max(waits) <= options.backoff_limit * 1.5
