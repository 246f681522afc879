"""Time, injected so that plans, files and tests are repeatable."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and draws jitter."""

    def now(self) -> datetime:
        """The current time, with time zone UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        ...
