"""What the engine tells the helpers of a revision, which know of nothing but their arguments and Alembic's context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from framework_m_migrations.adapters.system import NullSink, SystemClock
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.ports.clock import Clock
from framework_m_migrations.ports.event_sink import EventSink

_OPTION = "framework_m_migrations_surroundings"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The caller's choices. The defaults serve a revision that plain Alembic runs."""

    locks: LockOptions = field(default_factory=LockOptions)
    events: EventSink = field(default_factory=NullSink)
    clock: Clock = field(default_factory=SystemClock)


@contextmanager
def known_to_helpers(connection: sa.Connection, surroundings: Surroundings) -> Iterator[None]:
    """Helpers that are called on the connection within find these surroundings."""
    connection.execution_options(**{_OPTION: surroundings})
    try:
        yield
    finally:
        connection.execution_options(**{_OPTION: None})


def surroundings_of(connection: sa.Connection | None) -> Surroundings:
    """What was told for the connection, else the defaults; offline there is no connection."""
    told = None if connection is None else connection.get_execution_options().get(_OPTION)
    return told if isinstance(told, Surroundings) else Surroundings()
