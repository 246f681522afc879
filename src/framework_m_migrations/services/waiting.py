"""What comes before the first change.

The migration lock, waits for the locks of tables, and the look at the role's rights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count

from framework_m_migrations.domain.effects import Pause, UseCase, pauses
from framework_m_migrations.domain.errors import LockTimeout, MigrationLocked, MissingPrivilege
from framework_m_migrations.domain.events import Event, StatementRetried, WaitingForLock
from framework_m_migrations.domain.operations import Operation
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.privileges import Needs, needs_of
from framework_m_migrations.ports.session import Session

PATIENCE = 2.0
"""Seconds of waiting after which it is said how long it has been."""


def acquire(session: Session, options: LockOptions) -> UseCase[bool]:
    """Take the migration lock, polling.

    Returns:
        True when somebody else held it meanwhile.

    Raises:
        MigrationLocked: it was not had within ``options.wait`` seconds.
    """
    waited = False
    give_up = session.clock.monotonic() + options.wait
    while not session.lock.try_acquire():
        holder = session.lock.holder()
        if not waited:
            session.events.emit(WaitingForLock(holder))
        waited = True
        if session.clock.monotonic() >= give_up:
            raise MigrationLocked(
                f"Another migrator works on this database: {holder or 'it does not say who'}.",
                details={"holder": holder},
            )
        yield Pause(options.poll * (0.5 + session.clock.jitter()))
    return waited


def still_held(session: Session) -> None:
    """Make sure that the lock is still this session's before something is changed.

    Raises:
        MigrationLocked: it was lost: this process stood still for so long that another took over.
    """
    if not session.lock.try_acquire():
        raise MigrationLocked(
            "The migration lock was lost: another migrator may have taken over.",
            next_step="Run the same command again: it resumes where it stopped.",
        )


def retrying[T](
    session: Session,
    options: LockOptions,
    attempt: Callable[[], T],
    retried: Callable[[int, float, str], Event] = StatementRetried,
) -> UseCase[T]:
    """Call ``attempt``, again with growing pauses while it raises LockTimeout.

    What says of itself that a part of it stands (``details["rolled_back"]`` is not True) is not tried again.

    Args:
        session: for clock and events.
        options: tries and pauses.
        attempt: a whole transaction: what failed has left nothing behind.
        retried: the event of a failed try, from its number, the seconds until the next and the reason.

    Raises:
        LockTimeout: the last one, when the tries are used up.
    """
    began, tries = session.clock.monotonic(), pauses(options, session.clock.jitter)
    for tried in count(1):
        try:
            return attempt()
        except LockTimeout as error:
            pause = next(tries, None) if error.details.get("rolled_back", True) is True else None
            waited = session.clock.monotonic() - began
            if waited >= PATIENCE:
                error.what = f"{error.what} Waiting for {waited:.0f} s."
            if pause is None:
                raise
            session.events.emit(retried(tried, pause, error.what))
        yield Pause(pause)
    raise AssertionError


def note(session: Session, options: LockOptions, state: Mapping[str, str | None]) -> UseCase[None]:
    """Write into the ledger's state, in a transaction of its own."""

    def attempt() -> None:
        with session.transaction(options.limits):
            session.ledger.set_state(dict(state))

    yield from retrying(session, options, attempt)


# The look at the role's rights that comes before the first change.


_AFTER_REVISIONS = (
    "Grant it as the message says; where a pending revision grants it or does this work itself, apply the revisions "
    "alone first: `m-migrate run`."
)


def require_for_plan(session: Session, plan: Plan, drops: tuple[PlannedChange, ...] = ()) -> None:
    """Make sure that the role may do what a plan asks for; a constant number of statements.

    Args:
        session: the ports.
        plan: about to be applied; one that touches nothing needs nothing.
        drops: withheld changes that are about to be brought about too.

    Raises:
        MissingPrivilege: a right is missing; every missing one is named, and nothing was changed.
    """
    if not plan.touches_database and not drops:
        return
    _require(session, _needs((operation for step in plan.steps for operation in step.operations), drops))


def require_for_revisions(session: Session) -> None:
    """Make sure that the role may do any DDL at all: what a revision will do cannot be told before it runs.

    Raises:
        MissingPrivilege: the role may neither create anything nor change a single table.
    """
    _require(session, Needs(unknown=True))


def require_before_revisions(
    session: Session, operations: Iterable[Operation], drops: tuple[PlannedChange, ...] = ()
) -> None:
    """Make sure, before revisions run, that the sync after them may do what can be told now, and write the ledger.

    Args:
        session: the ports.
        operations: what sync would do if there were no revisions.
        drops: withheld changes that it would bring about too.

    Raises:
        MissingPrivilege: a right is missing; every missing one is named, and nothing was changed.
    """
    _require(session, _needs(operations, drops), next_step=_AFTER_REVISIONS)


def _needs(operations: Iterable[Operation], drops: tuple[PlannedChange, ...]) -> Needs:
    return needs_of([*operations, *(operation for change in drops for operation in change.operations)])


def _require(session: Session, needed: Needs, *, next_step: str | None = None) -> None:
    with session.reading():
        missing = session.inspector.missing_privileges(needed)
    if missing:
        what = f"Nothing was changed, because the role lacks a right: {' '.join(missing)}"
        raise MissingPrivilege(what, next_step=next_step, details={"missing": list(missing)})
