"""What surrounds a migration, in memory: apps, hooks, events, time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from framework_m_migrations.domain.effects import Hook
from framework_m_migrations.domain.errors import AppBroken, AppNotFound
from framework_m_migrations.domain.events import Event
from framework_m_migrations.ports.app_discovery import App


class MemoryDiscovery:
    """Implements ports.app_discovery.AppDiscovery.

    Args:
        apps: in order.
        missing: names that were asked for and that nobody has.
        broken: packages that cannot be imported.
    """

    def __init__(self, apps: Iterable[App] = (), missing: Iterable[str] = (), broken: Iterable[str] = ()) -> None:
        self._apps = tuple(apps)
        self._missing = tuple(missing)
        self._broken = tuple(broken)

    def apps(self) -> tuple[App, ...]:
        """All apps; raises AppNotFound or AppBroken."""
        for name in self._missing:
            raise AppNotFound(f"There is no app {name!r}.", details={"app": name})
        for name in self._broken:
            raise AppBroken(f"The app {name!r} cannot be imported.", details={"app": name})
        return self._apps

    def holding(self, revision: str) -> tuple[str, ...]:
        """None: the twin knows no other apps."""
        del revision
        return ()


class MemoryHooks:
    """Implements ports.hooks.HookRegistry.

    Args:
        hooks: in the order of apps.
        broken: apps whose hook module cannot be imported.
    """

    def __init__(self, hooks: Iterable[Hook] = (), broken: Iterable[str] = ()) -> None:
        self._hooks = tuple(hooks)
        self._broken = tuple(broken)

    def hooks(self) -> tuple[Hook, ...]:
        """All hooks; raises AppBroken."""
        for name in self._broken:
            raise AppBroken(f"The hooks of app {name!r} cannot be imported.", details={"app": name})
        return self._hooks


class ListSink:
    """Implements ports.event_sink.EventSink: keeps the events in ``events``."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)


class FakeClock:
    """Implements ports.clock.Clock: time goes on only when ``advance`` is called.

    Args:
        start: the time at the beginning, with a time zone.
        jitters: the numbers that ``jitter`` returns, over and over.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), jitters: Iterable[float] = (0.0,)) -> None:
        self._start = start.astimezone(UTC)
        self._passed = 0.0
        self._jitters = tuple(jitters)
        self._drawn = 0

    def advance(self, seconds: float) -> None:
        """Let time pass; raises ValueError for a negative number of seconds."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._passed += seconds

    def now(self) -> datetime:
        """The time in UTC."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._passed

    def jitter(self) -> float:
        """The next of the numbers given."""
        self._drawn += 1
        return self._jitters[(self._drawn - 1) % len(self._jitters)]
