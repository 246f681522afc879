"""What a use case asks its runner to do while it waits, and how long it waits between tries."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from framework_m_migrations.domain.options import LockOptions

if TYPE_CHECKING:
    from framework_m_migrations.domain.plan import Plan
    from framework_m_migrations.domain.results import SyncResult


DRAIN = 2.0
"""A pause is at least this many lock timeouts long.

While we wait for a lock, whoever comes after us waits behind us. What has piled up in that time is worked off in a
pause beside what goes on arriving: twice the time is enough for an application that is busy for two thirds of it.
"""


def pauses(options: LockOptions, jitter: Callable[[], float]) -> Iterator[float]:
    """Seconds to wait after each failed try, as many as there are retries: each half as long again as the one before.

    None is shorter than ``DRAIN`` lock timeouts: the next try must not begin while others still wait for the end of
    this one, or their waits add up.

    Args:
        options: tries and their limits.
        jitter: draws a number in [0, 1); it spreads a wait from half to one and a half of its length, and the shortest
            ones from ``DRAIN`` lock timeouts to one and a half of that.
    """
    wait, least = options.backoff_first, DRAIN * options.lock_timeout
    for _ in range(options.retries):
        drawn = jitter()
        yield max(wait * (0.5 + drawn), least * (1 + drawn / 2))
        wait = min(wait * 1.5, options.backoff_limit)


# What a use case asks its runner to do while it waits.
#
# Use cases are generators: they yield effects and get the answer back. That is how one piece of logic waits for
# a lock or runs an ``async`` hook on a server, in a script and in a browser worker, without a thread or a
# greenlet of its own (docs/adr/0002).


class HookPhase(StrEnum):
    """When a hook runs."""

    BEFORE_SYNC = "before_sync"
    AFTER_SYNC = "after_sync"


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that an app wants called; plain or ``async``."""

    app: str
    phase: HookPhase
    function: Callable[..., object]


@dataclass(frozen=True, slots=True)
class CallHook:
    """Call ``hook`` with what it names among engine, connection, plan, result, app and schema; await it if it is async.

    The runner answers None, or throws HookFailed into the use case.
    """

    hook: Hook
    plan: Plan
    result: SyncResult | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for ``seconds`` without blocking anybody else."""

    seconds: float


Effect = CallHook | Pause

type UseCase[T] = Generator[Effect, None, T]
