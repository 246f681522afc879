"""Settings, a database and overrides put together into runners and sessions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from framework_m_migrations.adapters.sql.names import hostile
from framework_m_migrations.adapters.sql.scopes import ConnectionScopes
from framework_m_migrations.adapters.sql.watching import watch
from framework_m_migrations.container import engines, factories
from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.container.desired import declared_metadata, named_apps
from framework_m_migrations.container.exclusion import ExcludingInspector, ExcludingLedger, exclusion
from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.models import Models, Named
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import ConfigurationError, UnknownRevision, UnsupportedDatabase
from framework_m_migrations.domain.events import DatabaseAbsent, Event
from framework_m_migrations.domain.exclusion import Exclusion
from framework_m_migrations.domain.lint import LintResult
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.results import InitResult
from framework_m_migrations.ports.app_discovery import App, AppDiscovery
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
from framework_m_migrations.ports.session import AsyncRunner, Runner, Session
from framework_m_migrations.ports.tenants import Tenants
from framework_m_migrations.ports.versioned_track import VersionedTrack

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
    from framework_m_migrations.adapters.sql.runner import Attempts, Translate


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


# Assembly: settings, a database and overrides put together into runners and sessions.


class Assembly:
    """Makes what a facade runs commands with.

    Args:
        settings: what to migrate.
        database: an engine or connection of the caller's, sync or async; None to make one from the URL.
        events: where events go; None for nowhere.
        overrides: factories of ports by name.
    """

    def __init__(
        self,
        settings: MigrationSettings,
        database: Any,
        events: EventSink | None,
        overrides: Mapping[str, Factory],
    ) -> None:
        self.settings = settings
        self._database = database
        self._factories = factories.with_defaults(overrides)
        if events is not None:
            self._factories["events"] = lambda _: events
        self._lasting: dict[str, Any] = {}
        self._source: Any = None

    def within(
        self, settings: MigrationSettings, *, events: EventSink | None = None, overrides: Mapping[str, Factory]
    ) -> Assembly:
        """An assembly for the same apps with other settings.

        Args:
            settings: its own; with the same URL it works on the engine or connection that the caller handed in.
            events: where its events go; None for nowhere.
            overrides: of ports, beside those of this assembly.
        """
        shared: dict[str, Factory] = {name: factory for name, factory in self._factories.items() if name != "events"}
        shared["discovery"] = lambda _: self._make_lasting("discovery")
        database = self._database if settings.url == self.settings.url else None
        return Assembly(settings, database, events, {**shared, **overrides})

    @property
    def parallel_runs(self) -> int | None:
        """How many runs the database of the caller's has room for at a time; None where there is no such limit."""
        return engines.parallel_runs(self._database)

    @property
    def needs_loop(self) -> bool:
        """True when the database is reached through an event loop."""
        return engines.needs_loop(self.mode, self._database)

    def in_loop[T](self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await what ``main`` makes, in an event loop for the time of the call.

        Raises:
            ConfigurationError: one runs already in this thread.
        """
        import asyncio

        self._refuse_running_loop()
        return asyncio.run(main())

    @property
    def mode(self) -> RuntimeMode:
        """The runtime mode; a caller's engine or connection decides it."""
        return engines.mode_of(self.settings, self._database)

    @property
    def shown_url(self) -> str:
        """The database's URL without its password."""
        return engines.shown_url(self.settings, self._database)

    def apps(self) -> tuple[App, ...]:
        """The installed apps."""
        self._make_importable()
        found: tuple[App, ...] = self._make_lasting("discovery").apps()
        return found

    def _make_lasting(self, name: str) -> Any:
        """A port that needs no connection, made once."""
        if name not in self._lasting:
            self._lasting[name] = self._factories[name](Context(self.settings, self.mode, self._make_lasting))
        return self._lasting[name]

    def session(self, connection: sa.Connection, *, drops: bool) -> Session:
        """The session over a synchronous connection (for async drivers: the face that ``run_sync`` gives).

        Raises:
            UnsupportedDatabase: there is no adapter for its dialect, or the server is too old.
            ConfigurationError: the schema or the version table has a name that no database should be asked for.
        """
        for what, name in (("schema", self.settings.schema), ("version table", self.settings.version_table)):
            wrong = None if name is None else hostile(name)
            if wrong is not None:
                raise ConfigurationError(f"The name {name!r} of the {what} {wrong}.")
        dialect = self.dialect(connection.dialect.name)
        dialect.capabilities(connection.dialect)  # Rejects a server that is too old, before anything is sent.
        context = Context(self.settings, self.mode, self._make_lasting, connection, dialect, drops)
        return WiredSession(context, self._factories)

    @staticmethod
    def dialect(name: str) -> SqlDialect:
        """The adapter of a dialect; raises UnsupportedDatabase where there is none."""
        found = factories.sql_dialect(name)
        if found is None:
            raise UnsupportedDatabase(
                f"There is no adapter for the dialect {name!r}.",
                next_step="Use PostgreSQL, SQLite or MariaDB (mariadb+pymysql://). CONTRIBUTING.md tells how to write "
                "an adapter.",
            )
        return found

    def run[T](self, use_case: Callable[[Session], UseCase[T]], *, drops: bool, looks: bool = False) -> T:
        """Run a use case for a caller without an event loop; an async database gets one for the time of the call.

        Args:
            use_case: what to run.
            drops: its session gets a pruner.
            looks: it changes nothing, so that a missing SQLite file is not created either.
        """
        with self._missing_app_named():
            if self.needs_loop:
                return self.in_loop(lambda: self.async_runner(drops=drops, looks=looks).run(use_case))
            return self.runner(drops=drops, looks=looks).run(use_case)

    async def run_async[T](self, use_case: Callable[[Session], UseCase[T]], *, drops: bool, looks: bool = False) -> T:
        """Run a use case inside the running event loop."""
        with self._missing_app_named():
            return await self.async_runner(drops=drops, looks=looks).run(use_case)

    @contextmanager
    def _missing_app_named(self) -> Iterator[None]:
        """Where a revision is unknown because its app was not asked for, the error says which app that is."""
        try:
            yield
        except UnknownRevision as error:
            missing = error.details.get("missing") or next(iter(error.details.get("unknown", ())), None)
            discovery: AppDiscovery = self._make_lasting("discovery")
            holding = discovery.holding(missing) if isinstance(missing, str) else ()
            if holding:
                names = ",".join(dict.fromkeys((*(app.name for app in discovery.apps()), *holding)))
                error.what = error.what.replace(
                    "which no installed app has", f"a revision of app {' or '.join(holding)}"
                )
                error.next_step = f"Name that app too: `--apps {names}` or INSTALLED_APPS={names}."
                error.details["apps"] = list(holding)
            raise

    def runner(self, *, drops: bool = False, looks: bool = False) -> Runner:
        """The runner for a synchronous driver."""
        from framework_m_migrations.adapters.sql.runner import SyncSqlRunner

        self._make_importable()
        if self._source is None:
            self._source = engines.sync_source(self.settings, self.mode, self._database)
        return SyncSqlRunner(
            self._looking(looks),
            partial(self.session, drops=drops),
            translate=self._translate(),
            attempts=self._attempts,
        )

    def async_runner(self, *, drops: bool = False, looks: bool = False) -> AsyncRunner:
        """The runner to be awaited: for an asynchronous driver, or for a browser worker."""
        if self.mode is RuntimeMode.SYNC_WORKER:
            return self._worker_runner(drops=drops, looks=looks)
        from framework_m_migrations.adapters.sql.async_runner import AsyncSqlRunner

        self._make_importable()
        if self._source is None:
            self._source = engines.async_source(self.settings, self._database)
        return AsyncSqlRunner(
            self._looking(looks, in_loop=True),
            partial(self.session, drops=drops),
            translate=self._translate(),
            attempts=self._attempts,
        )

    def _worker_runner(self, *, drops: bool, looks: bool) -> AsyncRunner:
        from framework_m_migrations.adapters.pyodide.runner import PyodideRunner
        from framework_m_migrations.adapters.pyodide.stores import NoPersistence

        self._make_importable()
        if self._source is None:
            self._source = engines.sync_source(self.settings, self.mode, self._database)
        foreign = self._database is not None and self._factories["persistence"] is factories.persistence
        return PyodideRunner(
            self._looking(looks),
            partial(self.session, drops=drops),
            NoPersistence() if foreign else self._make_lasting("persistence"),
            translate=self._translate(),
        )

    def _looking(self, looks: bool, *, in_loop: bool = False) -> Any:
        if not looks:
            return self._source
        tell: EventSink = self._make_lasting("events")
        return engines.looking(
            self._source, self.settings, lambda file: tell.emit(DatabaseAbsent(file)), in_loop=in_loop
        )

    def _attempts(self) -> Attempts:
        from framework_m_migrations.adapters.sql.runner import Attempts

        events: EventSink = self._make_lasting("events")
        return Attempts(self.settings.connect_wait, events.emit)

    def _translate(self) -> Translate:
        return self.dialect(engines.dialect_name(self.settings, self._database)).translate

    def init_project(self) -> InitResult:
        """Write alembic.ini and env.py."""
        self._make_importable()
        from framework_m_migrations.adapters.sql.revisions.project import init_project

        files = init_project(self.settings.path, self.apps(), version_table=self.settings.version_table)
        return InitResult(tuple(str(file) for file in files))

    def lint(self, names: Sequence[str], *, use_squawk: bool) -> LintResult:
        """Judge revision files for the kind of database that the URL or engine has, PostgreSQL where there is neither.

        No database is needed.

        Raises:
            UnknownRevision: a name that no revision has.
        """
        self._make_importable()
        import sqlalchemy as sa

        from framework_m_migrations.adapters.sql.dialects.postgresql.lint.linter import lint
        from framework_m_migrations.adapters.sql.revisions.library import layout_of
        from framework_m_migrations.adapters.sql.revisions.track import AlembicTrack

        layout = layout_of(self.settings.path)
        known = self._database is not None or bool(self.settings.database_url)
        database = engines.dialect_name(self.settings, self._database) if known else "postgresql"
        engine = sa.create_engine("sqlite://")
        try:
            # The track reads the files; the connection that it wants is never asked for anything.
            with engine.connect() as connection:
                track = AlembicTrack(
                    connection,
                    self.dialect("sqlite"),
                    self._make_lasting("discovery"),
                    project=layout.ini,
                    folders=(*layout.folders, *self.settings.version_folders),
                )
                with self._missing_app_named():
                    return lint(
                        track.library(),
                        names,
                        connection,
                        project=self.settings.path,
                        database=database,
                        use_squawk=use_squawk,
                    )
        finally:
            engine.dispose()

    def _make_importable(self) -> None:
        """Apps and models of a project are found from its folder, as ``python -m`` would."""
        folder = str(self.settings.path.resolve())
        if folder not in sys.path:
            sys.path.insert(0, folder)

    @staticmethod
    def _refuse_running_loop() -> None:
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise ConfigurationError(
            "An event loop runs in this thread; a synchronous command would block it.",
            next_step="Use AsyncMigrationManager and await its methods.",
        )
