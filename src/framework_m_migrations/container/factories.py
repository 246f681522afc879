"""The default adapter of each port, as plain functions with lazy imports.

This is the whole wiring, once for all modes: what differs between them is the connection and the dialect. PORTS is
the table of them, from which the dependency-injector container (di.py) is made too; in Pyodide, where that package does
not exist, the table serves alone (docs/adr/0031).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from framework_m_migrations.adapters.installed import entry_points_of
from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.tenancy import has_tenant_schemas
from framework_m_migrations.domain.errors import ConfigurationError, UnsupportedDatabase

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
    from framework_m_migrations.ports.app_discovery import AppDiscovery
    from framework_m_migrations.ports.clock import Clock
    from framework_m_migrations.ports.event_sink import EventSink
    from framework_m_migrations.ports.executor import Executor
    from framework_m_migrations.ports.hooks import HookRegistry
    from framework_m_migrations.ports.inspector import Inspector
    from framework_m_migrations.ports.ledger import Ledger
    from framework_m_migrations.ports.lock import MigrationLock
    from framework_m_migrations.ports.persistence import Persistence
    from framework_m_migrations.ports.prover import Prover
    from framework_m_migrations.ports.pruner import Pruner
    from framework_m_migrations.ports.schema_source import SchemaSource
    from framework_m_migrations.ports.tenants import Tenants
    from framework_m_migrations.ports.versioned_track import VersionedTrack

LOCK_KINDS = ("auto", "advisory", "lease")
"""What MigrationSettings.lock may be."""


def discovery(context: Context) -> AppDiscovery:
    """Apps by name, INSTALLED_APPS or entry points."""
    from framework_m_migrations.adapters.filesystem.apps import FilesystemDiscovery

    settings = context.settings
    return FilesystemDiscovery(settings.apps or (), settings.installed_apps or None)


def hooks(context: Context) -> HookRegistry:
    """Hooks from each app's ``migrations/__init__.py``."""
    from framework_m_migrations.adapters.filesystem.hooks import FilesystemHooks

    return FilesystemHooks(context.make("discovery"))


def source(context: Context) -> SchemaSource:
    """SQLAlchemy MetaData when the settings name some, else the DocTypes of the apps."""
    from framework_m_migrations.container.desired import schema_source

    return schema_source(context)


def inspector(context: Context) -> Inspector:
    """The dialect's catalog reader."""
    ignored = frozenset((*ledger_tables(), context.settings.version_table))
    schemas = context.make("source").schemas()
    return context.sql.inspector(context.live, schema=context.settings.schema, ignored=ignored, also=schemas)


def ledger_tables() -> Iterable[str]:
    """Names of the engine's own tables."""
    from framework_m_migrations.adapters.sql.ledger import ENGINE_TABLES

    return ENGINE_TABLES


def tenants(context: Context) -> Tenants:
    """The schemas of tenants.

    Raises:
        UnsupportedDatabase: the database has no schemas.
    """
    found = context.sql.tenants(context.live, ignored=frozenset((*ledger_tables(), context.settings.version_table)))
    if found is None:
        raise UnsupportedDatabase(
            "Tenants are kept in schemas, which this database does not have.",
            next_step="Use PostgreSQL; on SQLite give each tenant a database of its own.",
        )
    return found


def executor(context: Context) -> Executor:
    """Additive DDL."""
    from framework_m_migrations.adapters.sql.executor import SqlExecutor

    return SqlExecutor(context.live, context.sql, schema=context.settings.schema)


def pruner(context: Context) -> Pruner | None:
    """Destructive DDL, only where the caller asked for drops."""
    if not context.drops:
        return None
    from framework_m_migrations.adapters.sql.pruner import SqlPruner

    return SqlPruner(context.live, context.sql, schema=context.settings.schema)


def ledger(context: Context) -> Ledger:
    """The ledger's tables."""
    from framework_m_migrations.adapters.sql.ledger import SqlLedger

    def token() -> sa.TextualSelect | None:
        query: sa.TextualSelect | None = getattr(context.make("inspector"), "token_query", None)
        return query

    return SqlLedger(context.live, context.sql, schema=context.settings.schema, token=token)


def lock(context: Context) -> MigrationLock:
    """The dialect's migration lock.

    Raises:
        ConfigurationError: the settings name a kind of lock that does not exist.
    """
    kind = context.settings.lock
    if kind not in LOCK_KINDS:
        raise ConfigurationError(
            f"There is no kind of lock {kind!r}.", next_step=f"The kinds are {', '.join(LOCK_KINDS)}."
        )
    return context.sql.lock(context.live, schema=context.settings.schema, kind=kind)


def versions(context: Context, x_args: Iterable[str] = ()) -> VersionedTrack:
    """Alembic's revisions; imported when the versioned track is first used, for a sync that has nothing to do.

    Args:
        context: of the session.
        x_args: for the project's env.py.
    """
    from framework_m_migrations.adapters.sql.revisions.library import layout_of
    from framework_m_migrations.adapters.sql.revisions.surroundings import Surroundings
    from framework_m_migrations.adapters.sql.revisions.track import AlembicTrack

    settings = context.settings
    layout = layout_of(settings.path)

    def others() -> bool:
        if settings.tenant:
            return True
        # Revisions of a schema that was chosen for itself are in that schema, and about it alone.
        return settings.schema is None and has_tenant_schemas(context.sql.name) and bool(tenants(context).with_ledger())

    return AlembicTrack(
        context.live,
        context.sql,
        context.make("discovery"),
        version_table=settings.version_table,
        # Revisions are the database's, not a tenant's.
        version_table_schema=None if settings.tenant else settings.schema,
        project=layout.ini,
        folders=(*layout.folders, *settings.version_folders),
        x_args=tuple(x_args),
        surroundings=Surroundings(settings.locks, context.make("events"), context.make("clock")),
        others=others,
        models=context.models,
    )


def prover(context: Context) -> Prover | None:
    """Tries revisions out on a scratch database; None where the versioned track is not Alembic's."""
    from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
    from framework_m_migrations.adapters.sql.revisions.proving import SqlProver
    from framework_m_migrations.adapters.sql.revisions.track import AlembicTrack
    from framework_m_migrations.container.engines import twin_engine

    track = context.make("versions")
    if not isinstance(track, AlembicTrack):
        return None
    open_twin = partial(twin_engine, context.settings, context.mode, is_async=context.live.dialect.is_async)
    return SqlProver(
        context.live, context.sql, track, open_twin, fallback=SqliteDialect(), schema=context.settings.schema
    )


def events(_: Context) -> EventSink:
    """Nobody listens unless somebody was named."""
    from framework_m_migrations.adapters.system import NullSink

    return NullSink()


def clock(_: Context) -> Clock:
    """The system's clock."""
    from framework_m_migrations.adapters.system import SystemClock

    return SystemClock()


def persistence(context: Context) -> Persistence:
    """In a browser worker, what loads and flushes the folder of the database file; nothing is stored elsewhere.

    It is used by AsyncMigrationManager, for a database that is named by its URL: who hands over an engine loads and
    flushes the file system.
    """
    from framework_m_migrations.adapters.pyodide.stores import NoPersistence, persistence_of

    if context.mode is not RuntimeMode.SYNC_WORKER:
        return NoPersistence()
    from framework_m_migrations.adapters.sql.engines import is_memory, parse_url

    url = parse_url(context.settings.url)
    if url.get_backend_name() != "sqlite" or is_memory(url):
        return NoPersistence()
    return persistence_of(url.database or "")


DIALECTS = "framework_m_migrations.dialects"
"""Entry points of dialects that other packages bring, by SQLAlchemy's name of each."""
PORTS: dict[str, Factory] = {
    "discovery": discovery,
    "hooks": hooks,
    "source": source,
    "inspector": inspector,
    "executor": executor,
    "pruner": pruner,
    "ledger": ledger,
    "lock": lock,
    "versions": versions,
    "prover": prover,
    "events": events,
    "clock": clock,
    "persistence": persistence,
}
"""The table of providers: each replaceable port and its default. ``discovery``, ``clock`` and ``persistence`` live as
long as a manager, the others as long as a connection."""


def with_defaults(overrides: Mapping[str, Factory]) -> dict[str, Factory]:
    """The table with other factories for some ports.

    Raises:
        ConfigurationError: there is no port of such a name.
    """
    for name in overrides:
        if name not in PORTS:
            raise ConfigurationError(
                f"There is no port {name!r} to override.", next_step=f"The ports are {', '.join(PORTS)}."
            )
    return {**PORTS, **overrides}


def sql_dialect(name: str) -> SqlDialect | None:
    """The dialect adapter for SQLAlchemy's name of a dialect, None where there is none."""
    if name == "postgresql":
        from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect

        return PostgresqlDialect()
    if name == "sqlite":
        from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect

        return SqliteDialect()
    if name == "mariadb":
        from framework_m_migrations.adapters.sql.dialects.mariadb.dialect import MariadbDialect

        return MariadbDialect()
    return _installed_dialect(name)


def _installed_dialect(name: str) -> SqlDialect | None:
    """A dialect of another package: a class, without arguments, under its name in the group of entry points."""
    # Some call themselves NAME.DRIVER, as Firebird's does.
    for key in dict.fromkeys((name, name.partition(".")[0])):
        for entry in entry_points_of(DIALECTS).select(name=key):
            made: SqlDialect = entry.load()()
            return made
    return None
