"""Waiting: for the migration lock, and for the locks of tables."""

from __future__ import annotations

from collections.abc import Callable

from framework_m_migrations.domain.effects import Pause, UseCase
from framework_m_migrations.domain.errors import LockTimeout, MigrationLocked
from framework_m_migrations.domain.events import StepRetried, WaitingForLock
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.ports.session import Session


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


def retrying[T](session: Session, options: LockOptions, number: int, attempt: Callable[[], T]) -> UseCase[T]:
    """Call ``attempt``, again with growing pauses while it raises LockTimeout.

    Args:
        session: for clock and events.
        options: tries and pauses.
        number: of the step, for events.
        attempt: a whole transaction: what failed has left nothing behind.

    Raises:
        LockTimeout: the last one, when the tries are used up.
    """
    wait = options.backoff_first
    for tried in range(1, options.retries + 2):
        try:
            return attempt()
        except LockTimeout as error:
            if tried > options.retries:
                raise
            pause = wait * (0.5 + session.clock.jitter())
            session.events.emit(StepRetried(number, tried, pause, error.what))
            wait = min(wait * 1.5, options.backoff_limit)
        yield Pause(pause)
    raise AssertionError("unreachable: the last try returns or raises")
