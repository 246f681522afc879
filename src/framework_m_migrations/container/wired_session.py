"""The session of a SQL connection, its ports made when they are first used."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from framework_m_migrations.adapters.sql.scopes import ConnectionScopes
from framework_m_migrations.adapters.sql.watching import watch
from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.container.desired import declared_metadata, named_apps
from framework_m_migrations.container.exclusion import ExcludingInspector, ExcludingLedger, exclusion
from framework_m_migrations.container.models import Models, Named
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import UnsupportedDatabase
from framework_m_migrations.domain.events import Event
from framework_m_migrations.domain.exclusion import Exclusion
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
from framework_m_migrations.ports.session import Session
from framework_m_migrations.ports.tenants import Tenants
from framework_m_migrations.ports.versioned_track import VersionedTrack

if TYPE_CHECKING:
    import sqlalchemy as sa

LASTING = ("discovery", "clock", "persistence")
"""Ports that outlive a connection."""


def tenants_of(session: Session) -> Tenants:
    """The schemas of tenants, over the connection of a session.

    Raises:
        UnsupportedDatabase: the database has no schemas, or the session is no SQL connection's.
    """
    if not isinstance(session, WiredSession):
        raise UnsupportedDatabase(f"{type(session).__name__} knows no tenants.")
    return session.tenants


def connection_of(session: Session) -> sa.Connection:
    """The connection of a session, for a host program's own statements.

    Raises:
        UnsupportedDatabase: the session is no SQL connection's.
    """
    if not isinstance(session, WiredSession):
        raise UnsupportedDatabase(f"{type(session).__name__} has no SQL connection.")
    return session.connection


class WiredSession:
    """ports.session.Session over a SQLAlchemy connection.

    Lazy, so that a sync that has nothing to do imports neither Alembic nor the apps' hooks.
    """

    def __init__(self, context: Context, factories: Mapping[str, Factory]) -> None:
        """Bind the ports.

        Args:
            context: with connection and dialect; its ``make`` gives the ports that outlive a connection.
            factories: of every port.
        """
        self._make_lasting = context.make
        self._models = Models(self._metadata)
        self._context = replace(context, make=self._make, models=self._models)
        self._factories = factories
        self._made: dict[str, Any] = {}
        self._connection = context.live
        self._dialect = context.sql
        self._scopes = ConnectionScopes(self._dialect, self._connection)
        self._end_watch = watch(self._connection, self._dialect.waits(), self._emit)

    def _emit(self, event: Event) -> None:
        self.events.emit(event)

    def _make(self, name: str) -> Any:
        if name in LASTING:
            return self._make_lasting(name)
        if name not in self._made:
            self._made[name] = self._without_excluded(name, self._factories[name](self._context))
        return self._made[name]

    def _without_excluded(self, name: str, made: Any) -> Any:
        """The port, blind for what is not ours."""
        if name not in {"inspector", "ledger"}:
            return made

        def excluded() -> Exclusion:
            # Asked when something is read: run and status need no models.
            return getattr(self._make("source"), "exclusion", None) or exclusion(self._context.settings)

        return ExcludingInspector(made, excluded) if name == "inspector" else ExcludingLedger(made, excluded)

    def _metadata(self) -> Named:
        settings = self._context.settings
        return declared_metadata(settings, named_apps(settings, self._make("discovery")))

    @property
    def connection(self) -> sa.Connection:
        """The connection that the ports are bound to."""
        return self._connection

    @property
    def capabilities(self) -> Capabilities:
        """Of the database; inside a caller's transaction nothing can be done online."""
        made = self._dialect.capabilities(self._connection.dialect)
        return replace(made, online_index=False, deferred_validation=False) if self._scopes.within else made

    @property
    def source(self) -> SchemaSource:
        """The wanted schema."""
        self._models.restore()
        return self._make("source")  # type: ignore[no-any-return]

    @property
    def inspector(self) -> Inspector:
        """The actual schema."""
        return self._make("inspector")  # type: ignore[no-any-return]

    @property
    def executor(self) -> Executor:
        """Additive changes."""
        return self._make("executor")  # type: ignore[no-any-return]

    @property
    def pruner(self) -> Pruner | None:
        """Destructive changes."""
        return self._make("pruner")  # type: ignore[no-any-return]

    @property
    def ledger(self) -> Ledger:
        """The engine's memory."""
        return self._make("ledger")  # type: ignore[no-any-return]

    @property
    def lock(self) -> MigrationLock:
        """One migrator at a time."""
        return self._make("lock")  # type: ignore[no-any-return]

    @property
    def versions(self) -> VersionedTrack:
        """The versioned track."""
        return self._make("versions")  # type: ignore[no-any-return]

    @property
    def prover(self) -> Prover | None:
        """Tries revisions out."""
        return self._make("prover")  # type: ignore[no-any-return]

    @property
    def hooks(self) -> HookRegistry:
        """The apps' hooks."""
        return self._make("hooks")  # type: ignore[no-any-return]

    @property
    def events(self) -> EventSink:
        """Where events go."""
        return self._make("events")  # type: ignore[no-any-return]

    @property
    def clock(self) -> Clock:
        """Time."""
        return self._make("clock")  # type: ignore[no-any-return]

    @property
    def tenants(self) -> Tenants:
        """The schemas of tenants; raises UnsupportedDatabase where the database has no schemas."""
        if "tenants" not in self._made:
            from framework_m_migrations.container.factories import tenants

            self._made["tenants"] = tenants(self._context)
        return self._made["tenants"]  # type: ignore[no-any-return]

    def transaction(self, limits: Limits) -> AbstractContextManager[None]:
        """See ports.session.Session."""
        return self._scopes.transaction(limits)

    def autocommit(self) -> AbstractContextManager[None]:
        """See ports.session.Session."""
        return self._scopes.autocommit()

    def reading(self) -> AbstractContextManager[None]:
        """See ports.session.Session."""
        return self._scopes.reading()

    def close(self) -> None:
        """See ports.session.Session."""
        self._models.restore()
        self._end_watch()
        if "lock" in self._made:
            self.lock.release()
