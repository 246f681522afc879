"""The real clock."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime


class SystemClock:
    """Time as the machine tells it. Implements ports.clock.Clock."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads retries, keeps no secret
