"""All ports over one connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.clock import SystemClock
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.adapters.sql.ledger import SqlLedger
from framework_m_migrations.adapters.sql.ledger_tables import ENGINE_TABLES
from framework_m_migrations.adapters.sql.pruner import SqlPruner
from framework_m_migrations.adapters.sql.scopes import ConnectionScopes
from framework_m_migrations.adapters.sql.sinks import NullSink
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.ports.clock import Clock
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.ports.executor import Executor
from framework_m_migrations.ports.hooks import HookRegistry
from framework_m_migrations.ports.inspector import Inspector
from framework_m_migrations.ports.ledger import Ledger
from framework_m_migrations.ports.lock import MigrationLock
from framework_m_migrations.ports.pruner import Pruner
from framework_m_migrations.ports.schema_source import SchemaSource
from framework_m_migrations.ports.versioned_track import VersionedTrack

ALEMBIC_TABLE = "alembic_version"


@dataclass(frozen=True)
class SqlSession:
    """Implements ports.session.Session. Ports are made when they are first asked for.

    Attributes:
        sql_dialect: the services of the connection's dialect.
        connection: opened with connect(), or the caller's own, in whatever state it is.
        source_factory: makes the schema source for the connected dialect, whose server version is known.
        versions_factory: makes the versioned track on the connection.
        hooks: the apps' hooks.
        events: where events go.
        clock: time.
        schema: the schema to work in, None for the connection's default.
        allow_drop: the user asked for drops; without it there is no pruner.
        own_tables: names that the inspector leaves out: the ledger's, and the version tables of Alembic.
    """

    sql_dialect: SqlDialect
    connection: sa.Connection
    source_factory: Callable[[sa.Dialect], SchemaSource]
    versions_factory: Callable[[sa.Connection], VersionedTrack]
    hooks: HookRegistry
    events: EventSink = field(default_factory=NullSink)
    clock: Clock = field(default_factory=SystemClock)
    schema: str | None = None
    allow_drop: bool = False
    own_tables: frozenset[str] = ENGINE_TABLES | {ALEMBIC_TABLE}

    def __post_init__(self) -> None:
        _ = self._scopes  # whose transaction is open is settled now, before any port reads

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the database can do."""
        return self.sql_dialect.capabilities(self.connection.dialect)

    @cached_property
    def source(self) -> SchemaSource:
        """The wanted schema."""
        return self.source_factory(self.connection.dialect)

    @cached_property
    def inspector(self) -> Inspector:
        """The actual schema."""
        return self.sql_dialect.inspector(self.connection, schema=self.schema, ignored=self.own_tables)

    @cached_property
    def executor(self) -> Executor:
        """Additive changes."""
        return SqlExecutor(self.connection, self.sql_dialect, schema=self.schema)

    @cached_property
    def pruner(self) -> Pruner | None:
        """Destructive changes, where they were asked for."""
        return SqlPruner(self.connection, self.sql_dialect, schema=self.schema) if self.allow_drop else None

    @cached_property
    def ledger(self) -> Ledger:
        """The engine's memory."""
        return SqlLedger(self.connection, self.sql_dialect, schema=self.schema)

    @cached_property
    def lock(self) -> MigrationLock:
        """One migrator at a time."""
        return self.sql_dialect.lock(self.connection, schema=self.schema)

    @cached_property
    def versions(self) -> VersionedTrack:
        """The versioned track."""
        return self.versions_factory(self.connection)

    @cached_property
    def _scopes(self) -> ConnectionScopes:
        return ConnectionScopes(self.sql_dialect, self.connection)

    def transaction(
        self, *, lock_timeout: float | None = None, statement_timeout: float | None = None, brief: bool = False
    ) -> AbstractContextManager[None]:
        """A write transaction; see the port."""
        return self._scopes.transaction(lock_timeout=lock_timeout, statement_timeout=statement_timeout, brief=brief)

    def autocommit(self) -> AbstractContextManager[None]:
        """No transaction; see the port."""
        return self._scopes.autocommit()

    def reading(self) -> AbstractContextManager[None]:
        """A scope for reads; see the port."""
        return self._scopes.reading()

    def close(self) -> None:
        """Give the lock back, if it was ever asked for; see the port."""
        if "lock" in self.__dict__:
            self.lock.release()
