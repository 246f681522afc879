"""How long to wait between tries for a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from framework_m_migrations.domain.options import LockOptions


def pauses(options: LockOptions, jitter: Callable[[], float]) -> Iterator[float]:
    """Seconds to wait after each failed try, as many as there are retries: each half as long again as the one before.

    Args:
        options: tries and their limits.
        jitter: draws a number in [0, 1); it spreads a wait from half to one and a half of its length.
    """
    wait = options.backoff_first
    for _ in range(options.retries):
        yield wait * (0.5 + jitter())
        wait = min(wait * 1.5, options.backoff_limit)
