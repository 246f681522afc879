"""Places for events to go. All implement ports.event_sink.EventSink."""

from __future__ import annotations

from collections.abc import Callable

from framework_m_migrations.domain.events import Event


class NullSink:
    """Lets events go by."""

    def emit(self, event: Event) -> None:
        """Do nothing."""


class ListSink:
    """Keeps events in ``events``, in their order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)


class CallbackSink:
    """Hands events to a function.

    Args:
        callback: called with each event. What it raises is kept in ``failures`` and not raised on: a progress display
            that breaks must not break a migration half way.
    """

    def __init__(self, callback: Callable[[Event], object]) -> None:
        self._callback = callback
        self.failures: list[Exception] = []

    def emit(self, event: Event) -> None:
        """Call the function."""
        try:
            self._callback(event)
        except Exception as error:  # noqa: BLE001 - anything may be raised by the caller's own function
            self.failures.append(error)
