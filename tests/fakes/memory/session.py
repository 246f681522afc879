"""All ports over one memory connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.clock import Clock
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.ports.hooks import HookRegistry
from framework_m_migrations.ports.prover import Prover
from framework_m_migrations.ports.schema_source import SchemaSource
from tests.fakes.memory.database import MemoryConnection
from tests.fakes.memory.executor import MemoryExecutor, MemoryPruner
from tests.fakes.memory.inspector import MemoryInspector
from tests.fakes.memory.ledger import MemoryLedger
from tests.fakes.memory.lock import MemoryLock
from tests.fakes.memory.source import MemorySource
from tests.fakes.memory.surroundings import FakeClock, ListSink, MemoryHooks
from tests.fakes.memory.track import MemoryRevisions, MemoryTrack


@dataclass(slots=True)
class MemoryWorld:
    """What sessions share beside the database: what is wanted, what apps bring along, time."""

    source: SchemaSource = field(default_factory=MemorySource)
    revisions: MemoryRevisions = field(default_factory=MemoryRevisions)
    apps: tuple[App, ...] = ()
    hooks: HookRegistry = field(default_factory=MemoryHooks)
    events: EventSink = field(default_factory=ListSink)
    clock: Clock = field(default_factory=FakeClock)
    allow_drop: bool = False
    prover: Prover | None = None


class MemorySession:
    """Implements ports.session.Session.

    Args:
        connection: what all ports work through.
        world: what they share with other sessions.
    """

    def __init__(self, connection: MemoryConnection, world: MemoryWorld | None = None) -> None:
        self.connection = connection
        self._world = world = world or MemoryWorld()
        self.source: SchemaSource = world.source
        self.inspector = MemoryInspector(connection)
        self.executor = MemoryExecutor(connection)
        self.pruner = MemoryPruner(connection) if world.allow_drop else None
        self.ledger = MemoryLedger(connection)
        self.lock = MemoryLock(connection)
        self.versions = MemoryTrack(connection, world.revisions, world.apps)
        self.prover: Prover | None = world.prover
        self.hooks: HookRegistry = world.hooks
        self.events: EventSink = world.events
        self.clock: Clock = world.clock

    @property
    def capabilities(self) -> Capabilities:
        """What the database can do now."""
        return self.connection.database.capabilities

    def transaction(self, limits: Limits) -> AbstractContextManager[None]:
        """A write transaction, or a savepoint within one. A writer that is not free is told at once, never awaited."""
        return self.connection.transaction()

    def autocommit(self) -> AbstractContextManager[None]:
        """Each statement for itself."""
        return self.connection.autocommit()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A scope for reads: reading leaves nothing behind here."""
        self.connection.state  # noqa: B018 - a closed connection is told at the beginning
        yield

    def close(self) -> None:
        """Give the migration lock back."""
        self.lock.release()
