"""The system's clock and the places for events hold their contracts."""

from __future__ import annotations

from typing import cast

import pytest

from framework_m_migrations.adapters.system import CallbackSink, ListSink, NullSink, SystemClock
from framework_m_migrations.domain.events import Event
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.testing import ClockContract, EventSinkContract


class System:
    adapter = "system"

    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class Null:
    adapter = "null sink"

    @pytest.fixture
    def sink(self) -> NullSink:
        return NullSink()


class Keeping:
    adapter = "list sink"

    @pytest.fixture
    def sink(self) -> ListSink:
        return ListSink()

    def received(self, sink: EventSink) -> list[Event]:
        return cast("ListSink", sink).events


class Calling:
    """A function that raises half of the time must not break a migration."""

    adapter = "callback sink"

    @pytest.fixture
    def sink(self) -> CallbackSink:
        self.taken: list[Event] = []

        def take(event: Event) -> None:
            self.taken.append(event)
            if len(self.taken) % 2:
                raise ValueError("on purpose")

        return CallbackSink(take)

    def received(self, sink: EventSink) -> list[Event]:
        return self.taken


class TestSystemClock(System, ClockContract): ...


class TestNullSink(Null, EventSinkContract): ...


class TestListSink(Keeping, EventSinkContract): ...


class TestCallbackSink(Calling, EventSinkContract): ...
