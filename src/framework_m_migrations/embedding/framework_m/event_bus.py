"""Events of migrations on the host's event bus."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import Any, Self

from framework_m_migrations.domain.events import Event, PlanMade, event_name, event_values

logger = logging.getLogger("framework_m_migrations")

TOPIC = "migration"
"""Events are published as ``migration.NAME``: see domain.events.event_name."""
PATIENCE = 60.0
"""Seconds that a bus may take to be connected: the host connects it after the schema is synced."""
_PAUSE = 0.1


class EventBusSink:
    """Publishes events to the event bus of the host's container, in their order.

    An asynchronous context manager for use in the running loop. At its end events that are left are published in the
    background once the bus is connected, or dropped after PATIENCE. What the bus raises is logged.

    Args:
        container: the host's; one without an event bus gets no events.
    """

    def __init__(self, container: Any) -> None:
        self._container = container
        self._events: deque[Event] = deque()
        self._more = asyncio.Event()
        self._ended = False

    async def __aenter__(self) -> Self:
        task = asyncio.create_task(self._publish())
        # The loop itself keeps no reference to a task.
        _publishing.add(task)
        task.add_done_callback(_publishing.discard)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = True
        self._more.set()

    def emit(self, event: Event) -> None:
        """Take one event. A plan without anything to do is none."""
        if not isinstance(event, PlanMade) or event.plan.steps or event.plan.withheld:
            self._events.append(event)
            self._more.set()

    async def _publish(self) -> None:
        while not (self._ended and not self._events):
            await self._more.wait()
            self._more.clear()
            bus = await self._connected() if self._events else None
            while self._events:
                event = self._events.popleft()
                if bus is not None:
                    await _send(bus, event)

    async def _connected(self) -> Any:
        """The bus, once it is connected; None where there is none in time. Boot steps may set another one meanwhile."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE
        while clock() < until:
            with suppress(Exception):
                bus = self._container.event_bus()
                if bus.is_connected():
                    return bus
            await asyncio.sleep(_PAUSE)
        logger.info("Events of the migration were not published: the event bus is not connected.")
        return None


_publishing: set[asyncio.Task[None]] = set()


async def _send(bus: Any, event: Event) -> None:
    from framework_m_core.interfaces.event_bus import Event as BusEvent

    topic, values = f"{TOPIC}.{event_name(event)}", event_values(event)
    subject = values.get("table", values.get("revision", values.get("tenant")))
    try:
        await bus.publish(
            topic,
            BusEvent(
                type=topic,
                source="framework_m_migrations",
                subject=None if subject is None else str(subject),
                data=dict(values),
            ),
        )
    except Exception as error:  # noqa: BLE001 - whatever a subscriber raises must not break a boot
        logger.warning("The event %s was not published: %s: %s", topic, type(error).__name__, error)
