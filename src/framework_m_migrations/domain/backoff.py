"""How long to wait between tries for a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from framework_m_migrations.domain.options import LockOptions

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
