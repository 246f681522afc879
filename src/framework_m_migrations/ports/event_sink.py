"""Where events go."""

from __future__ import annotations

from typing import Protocol

from framework_m_migrations.domain.events import Event


class EventSink(Protocol):
    """Receives events in the order in which they happen. It must not raise and must be quick."""

    def emit(self, event: Event) -> None:
        """Take one event."""
        ...
