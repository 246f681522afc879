"""The bundle of connection-bound ports that a use case works with, and the runners that make one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.ports.clock import Clock
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.ports.executor import Executor
from framework_m_migrations.ports.hooks import HookRegistry
from framework_m_migrations.ports.inspector import Inspector
from framework_m_migrations.ports.ledger import Ledger
from framework_m_migrations.ports.lock import MigrationLock
from framework_m_migrations.ports.prover import Prover
from framework_m_migrations.ports.pruner import Pruner
from framework_m_migrations.ports.schema_source import SchemaSource
from framework_m_migrations.ports.versioned_track import VersionedTrack


class Session(Protocol):
    """All ports over one connection. ``pruner`` is None unless the user asked for drops."""

    @property
    def capabilities(self) -> Capabilities:
        """What the database can do."""
        ...

    @property
    def source(self) -> SchemaSource:
        """The wanted schema."""
        ...

    @property
    def inspector(self) -> Inspector:
        """The actual schema."""
        ...

    @property
    def executor(self) -> Executor:
        """Additive changes."""
        ...

    @property
    def pruner(self) -> Pruner | None:
        """Destructive changes."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The engine's memory."""
        ...

    @property
    def lock(self) -> MigrationLock:
        """One migrator at a time."""
        ...

    @property
    def versions(self) -> VersionedTrack:
        """The versioned track."""
        ...

    @property
    def prover(self) -> Prover | None:
        """Tries revisions out; None where that is not possible."""
        ...

    @property
    def hooks(self) -> HookRegistry:
        """The apps' hooks."""
        ...

    @property
    def events(self) -> EventSink:
        """Where events go."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    def transaction(self, limits: Limits) -> AbstractContextManager[None]:
        """A write transaction: commits at the end, rolls everything back on an exception.

        Args:
            limits: how long its statements may wait and take.

        Raises:
            LockTimeout: another session kept a lock for longer than ``limits.lock``.
        """
        ...

    def autocommit(self) -> AbstractContextManager[None]:
        """No transaction: each statement stands for itself, and none has a timeout."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """A scope for reads, at whose end no transaction and no lock is left on the connection."""
        ...

    def close(self) -> None:
        """Give back what the ports hold beside the connection, such as the migration lock and its own connection.

        Runners call it last, however the use case ended; the connection itself is theirs. Twice is as good as once.
        """
        ...


class Runner(Protocol):
    """Opens a session, drives a use case to its end and closes what it opened."""

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run to the end; a connection or engine that the caller handed in is left open.

        Raises:
            MigrationError: as the use case; ConnectionFailed when there is no connection to be had.
        """
        ...


class AsyncRunner(Protocol):
    """As Runner, for callers inside an event loop, which keeps running meanwhile."""

    async def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run to the end."""
        ...
