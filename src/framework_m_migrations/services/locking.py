"""Waiting: for the migration lock, and for the locks of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

from framework_m_migrations.domain.backoff import pauses
from framework_m_migrations.domain.effects import Pause, UseCase
from framework_m_migrations.domain.errors import LockTimeout, MigrationLocked
from framework_m_migrations.domain.events import Event, StatementRetried, WaitingForLock
from framework_m_migrations.domain.options import LockOptions
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
            next_step="Run the same command again: it goes on where it stopped.",
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
